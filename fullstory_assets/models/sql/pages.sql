{%- set page = "org_id, device_id, session_id, page_id" -%}
with numbered as (
    select events.*, {{ place("event_start, event_id", within=page) }} as place
    from events
    where page_id is not null
),
marked as (
    select
        numbered.*,
        {{ last("user_id", within=page) }} as user_place,
        {{ last("page_name", within=page) }} as name_place,
        {{ first("page_url", within=page) }} as first_url_place,
        {{ last("page_url", within=page) }} as last_url_place,
        {{ first("page_referer_url", within=page) }} as referrer_place
    from numbered
)
select
    org_id,
    device_id,
    session_id,
    page_id,
    max(full_session_id) as full_session_id,
    max(case when place = user_place then user_id end) as user_id,
    coalesce(min(page_start), min(event_start)) as start_time,
    max(event_start) as end_time,
    max(case when place = name_place then page_name end) as page_name,
    max(case when place = first_url_place then page_url end) as url,
    {{ url_host("max(case when place = first_url_place then page_url end)") }} as url_host,
    {{ url_path("max(case when place = first_url_place then page_url end)") }} as url_path,
    max(case when place = last_url_place then page_url end) as last_url,
    max(case when place = referrer_place then page_referer_url end) as referrer_url,
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
from marked
group by {{ page }}
