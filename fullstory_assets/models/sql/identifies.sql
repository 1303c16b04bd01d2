{%- set identity = "org_id, device_id, session_id, user_id" -%}
with numbered as (
    select events.*, {{ place("event_start, event_id", within=identity) }} as place
    from events
    where user_id is not null
),
marked as (
    select
        numbered.*,
        {{ last("user_email", within=identity) }} as email_place,
        {{ last("user_display_name", within=identity) }} as name_place
    from numbered
)
select
    org_id,
    device_id,
    session_id,
    user_id,
    max(full_session_id) as full_session_id,
    min(event_start) as first_event_time,
    max(event_start) as event_time,
    max(case when place = email_place then user_email end) as user_email,
    max(case when place = name_place then user_display_name end) as user_display_name,
    count(*) as total_events
from marked
group by {{ identity }}
