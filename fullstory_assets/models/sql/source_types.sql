{%- for name, description in source_types.items() %}
{{ "union all " if not loop.first }}select {{ quoted(name) }} as source_type, {{ quoted(description) }} as description
{%- endfor %}
