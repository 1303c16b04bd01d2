with numbered as (
    select
        events.*,
        {{ place("event_start desc, event_id desc", of="user_id", having="user_email") }} as email_place,
        {{ place("event_start desc, event_id desc", of="user_id", having="user_display_name") }} as name_place
    from events
    where user_id is not null
)
select
    org_id,
    device_id,
    session_id,
    user_id,
    max(full_session_id) as full_session_id,
    min(event_start) as first_event_time,
    max(event_start) as event_time,
    max(case when email_place = 1 then user_email end) as user_email,
    max(case when name_place = 1 then user_display_name end) as user_display_name,
    count(*) as total_events
from numbered
group by org_id, device_id, session_id, user_id
