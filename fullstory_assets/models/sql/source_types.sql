{%- for name, description in source_types.items() %}
{{ "union all " if not loop.first }}select '{{ name }}' as source_type, '{{ description | replace("'", "''") }}' as description
{%- endfor %}
