{%- macro address(url) -%}
{{ object({
    "full_url": url, "host": url_host(url), "path": url_path(url), "query": url_query(url),
    "hash_path": url_hash_path(url), "hash_query": url_hash_query(url),
}) }}
{%- endmacro -%}
{%- set identity = "org_id, device_id, session_id, user_id" -%}
with numbered as (
    select events.*, {{ place("event_start, event_id", within=identity) }} as place
    from events
    where user_id is not null and session_id is not null and device_id is not null
),
identified as (
    select
        numbered.*,
        {{ last(within=identity) }} as last_place,
        {{ last("user_email", within=identity) }} as email_place,
        {{ last("user_display_name", within=identity) }} as name_place
    from numbered
),
identifies as (
    select
        org_id,
        device_id,
        session_id,
        user_id,
        max(case when place = email_place then user_email end) as user_email,
        max(case when place = name_place then user_display_name end) as user_display_name
    from identified
    group by {{ identity }}
),
of_both as (
    select
        event_id,
        case event_type
            {%- for exported, name in event_names.items() %}
            when '{{ exported }}' then '{{ name }}'
            {%- endfor %}
            else event_type
        end as event_type,
        event_target_text,
        event_target_selector,
        event_custom_name,
        case when event_type = 'uservar' then user_id end as user_id,
        case when event_type = 'uservar' then user_email end as user_email,
        case when event_type = 'uservar' then user_display_name end as user_display_name,
        {{ carried | join(",\n        ") }}
    from events
    union all
    select
        'identify:' || last.full_session_id || ':' || last.user_id as event_id,
        'identify' as event_type,
        {{ nothing }} as event_target_text,
        {{ nothing }} as event_target_selector,
        {{ nothing }} as event_custom_name,
        last.user_id,
        identifies.user_email,
        identifies.user_display_name,
        last.{{ carried | join(",\n        last.") }}
    from identified as last
    join identifies
        on last.place = last.last_place and last.org_id = identifies.org_id and last.device_id = identifies.device_id
        and last.session_id = identifies.session_id and last.user_id = identifies.user_id
)
select
    event_id,
    event_start as event_time,
    exported_at as processed_time,
    exported_at as updated_time,
    device_id,
    session_id,
    page_id as view_id,
    event_type,
    {{ json({
        "target": object({"text": "event_target_text", "raw_selector": "event_target_selector"}),
        "event_name": "event_custom_name",
        "user_id": "user_id",
        "user_email": "user_email",
        "user_display_name": "user_display_name",
    }) }} as event_properties,
    source_type,
    {{ json({
        "user_agent": object({
            "raw_user_agent": "page_user_agent",
            "device": "page_device",
            "operating_system": "page_operating_system",
            "browser": "page_browser",
            "browser_version": "page_browser_version",
        }),
        "location": object({"ip_address": "page_ip", "lat_long": "page_lat_long"}),
        "url": address("page_url"),
        "initial_referrer": address("page_referer_url"),
    }) }} as source_properties
from of_both
