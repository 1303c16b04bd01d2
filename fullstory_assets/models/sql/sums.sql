
    min(start_time) as first_event_time,
    max(end_time) as last_event_time,
    count(*) as total_sessions,
    {%- for name in ["total_events", "total_page_views"] %}
    {{ whole("sum(" ~ name ~ ")") }} as {{ name }},
    {%- endfor %}
    {{ whole("sum(duration)") }} as total_duration,
    {%- for name in ["rage_clicks", "dead_clicks", "error_clicks", "exceptions", "console_errors", "failed_requests"] %}
    {{ whole("sum(" ~ name ~ ")") }} as {{ name }},
    {%- endfor %}
