with numbered as (
    select
        events.*,
        {{ place("event_start desc, event_id desc") }} as last_place,
        {{ place("event_start desc, event_id desc", having="user_id") }} as user_place,
        {{ place("event_start desc, event_id desc", having="user_email") }} as email_place,
        {{ place("event_start desc, event_id desc", having="user_display_name") }} as name_place,
        {{ place("event_start desc, event_id desc", having="page_user_agent") }} as device_place,
        {{ place("event_start desc, event_id desc", having="page_url") }} as exit_place,
        {{ place("event_start, event_id", having="page_url") }} as entry_place,
        {{ place("event_start, event_id", having="page_referer_url") }} as referrer_place
        {%- for column in custom_columns %},
        {{ place("event_start desc, event_id desc", having=column) }} as {{ column }}_place
        {%- endfor %}
    from events
)
select
    org_id,
    device_id,
    session_id,
    max(full_session_id) as full_session_id,
    max(case when user_place = 1 then user_id end) as user_id,
    max(case when last_place = 1 then individual_id end) as individual_id,
    min(event_start) as start_time,
    max(event_start) as end_time,
    max(exported_at) as updated_time,
    {{ seconds_between("min(event_start)", "max(event_start)") }} as duration,
    max(case when last_place = 1 then source_type end) as last_source_type,
    max(case when email_place = 1 then user_email end) as last_email,
    max(case when name_place = 1 then user_display_name end) as last_display_name,
    max(case when device_place = 1 then page_user_agent end) as last_user_agent,
    max(case when device_place = 1 then page_device end) as last_device_type,
    max(case when device_place = 1 then page_operating_system end) as last_operating_system,
    max(case when device_place = 1 then page_browser end) as last_browser,
    max(case when device_place = 1 then page_browser_version end) as last_browser_version,
    max(case when device_place = 1 then page_ip end) as last_ip_address,
    max(case when device_place = 1 then page_lat_long end) as last_lat_long,
    max(case when referrer_place = 1 then page_referer_url end) as initial_referrer_url,
    max(case when entry_place = 1 then page_url end) as entry_url,
    max(case when exit_place = 1 then page_url end) as exit_url,
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
    max(case when {{ column }}_place = 1 then {{ column }} end) as {{ column }}
    {%- endfor %}
from numbered
group by org_id, device_id, session_id
