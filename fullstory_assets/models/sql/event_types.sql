{%- for event_type, name in event_types.items() %}
{{ "union all " if not loop.first }}select '{{ event_type }}' as event_type, '{{ name }}' as name
{%- endfor %}
