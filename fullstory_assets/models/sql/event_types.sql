{%- for event_type, name in event_types.items() %}
{{ "union all " if not loop.first }}select {{ quoted(event_type) }} as event_type, {{ quoted(name) }} as name
{%- endfor %}
