
    max(load_largest_paint_time) as largest_paint,
    max(event_first_input_delay) as first_input_delay,
    max(event_cumulative_layout_shift) as cumulative_layout_shift,
    max(event_interaction_to_next_paint) as interaction_to_next_paint,
    max(event_time_to_first_byte) as time_to_first_byte
