with numbered as (
    select events.*, {{ place("event_start, event_id") }} as place
    from events
),
marked as (
    select
        numbered.*,
        {{ last() }} as last_place,
        {{ last("user_id") }} as user_place,
        {{ last("user_email") }} as email_place,
        {{ last("user_display_name") }} as name_place,
        coalesce({{ last("page_user_agent") }}, {{ last() }}) as device_place,
        {{ last("page_url") }} as exit_place,
        {{ first("page_url") }} as entry_place,
        {{ first("page_referer_url") }} as referrer_place
        {%- for column in custom_columns %},
        {{ last(column) }} as {{ column }}_place
        {%- endfor %}
    from numbered
)
select
    org_id,
    device_id,
    session_id,
    max(full_session_id) as full_session_id,
    max(case when place = user_place then user_id end) as user_id,
    max(case when place = last_place then individual_id end) as individual_id,
    min(event_start) as start_time,
    max(event_start) as end_time,
    max(exported_at) as updated_time,
    {{ seconds_between("min(event_start)", "max(event_start)") }} as duration,
    max(case when place = last_place then source_type end) as last_source_type,
    max(case when place = email_place then user_email end) as last_email,
    max(case when place = name_place then user_display_name end) as last_display_name,
    max(case when place = device_place then page_user_agent end) as last_user_agent,
    max(case when place = device_place then page_device end) as last_device_type,
    max(case when place = device_place then page_operating_system end) as last_operating_system,
    max(case when place = device_place then page_browser end) as last_browser,
    max(case when place = device_place then page_browser_version end) as last_browser_version,
    max(case when place = device_place then page_ip end) as last_ip_address,
    max(case when place = device_place then page_lat_long end) as last_lat_long,
    max(case when place = referrer_place then page_referer_url end) as initial_referrer_url,
    max(case when place = entry_place then page_url end) as entry_url,
    max(case when place = exit_place then page_url end) as exit_url,
    max(replay_url) as replay_url,
    count(*) as total_events,
    count(case when event_type = 'pageview' then 1 end) as total_page_views,
    count(distinct page_id) as total_pages,
    count(distinct page_url) as total_unique_urls,
    count(case when source_type = 'web' then 1 end) as total_web_events,
    count(case when source_type = 'mobile_app' then 1 end) as total_mobile_app_events,
    {%- include "frustration.sql" %}
    {%- include "vitals.sql" %}
    {%- for event_type, name in event_types.items() %},
    count(case when event_type = '{{ event_type }}' then 1 end) as total_{{ name }}_events
    {%- endfor %}
    {%- for column in custom_columns %},
    max(case when place = {{ column }}_place then {{ column }} end) as {{ column }}
    {%- endfor %}
from marked
group by org_id, device_id, session_id
