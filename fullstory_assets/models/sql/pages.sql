with numbered as (
    select
        events.*,
        {{ place("event_start desc, event_id desc", of="page_id", having="user_id") }} as user_place,
        {{ place("event_start desc, event_id desc", of="page_id", having="page_name") }} as name_place,
        {{ place("event_start, event_id", of="page_id", having="page_url") }} as first_url_place,
        {{ place("event_start desc, event_id desc", of="page_id", having="page_url") }} as last_url_place,
        {{ place("event_start, event_id", of="page_id", having="page_referer_url") }} as referrer_place
    from events
    where page_id is not null
)
select
    org_id,
    device_id,
    session_id,
    page_id,
    max(full_session_id) as full_session_id,
    max(case when user_place = 1 then user_id end) as user_id,
    coalesce(min(page_start), min(event_start)) as start_time,
    max(event_start) as end_time,
    max(case when name_place = 1 then page_name end) as page_name,
    max(case when first_url_place = 1 then page_url end) as url,
    {{ url_host("max(case when first_url_place = 1 then page_url end)") }} as url_host,
    {{ url_path("max(case when first_url_place = 1 then page_url end)") }} as url_path,
    max(case when last_url_place = 1 then page_url end) as last_url,
    max(case when referrer_place = 1 then page_referer_url end) as referrer_url,
    max(page_duration) as duration,
    max(page_active_duration) as active_duration,
    max(replay_url) as replay_url,
    count(*) as total_events,
    count(case when event_type = 'click' then 1 end) as total_clicks,
    {%- include "frustration.sql" %}
    max(page_max_scroll_depth_percent) as max_scroll_depth,
    max(load_dom_content_time) as dom_content_time,
    max(load_event_time) as load_time,
    max(load_first_paint_time) as first_paint,
    {%- include "vitals.sql" %}
from numbered
group by org_id, device_id, session_id, page_id
