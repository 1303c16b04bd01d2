{%- set in_time = "end_time, start_time, device_id, session_id" -%}
{%- set device = "org_id, device_id" -%}
{%- set whose = "org_id, user_key" -%}
with identified as (
    select org_id, device_id, user_id, {{ place(in_time, within=device) }} as place
    from {{ model("sessions") }} as sessions
    where user_id is not null
),
devices as (
    select org_id, device_id, user_id
    from (select identified.*, {{ last(within=device) }} as last_place from identified) as identified
    where place = last_place
),
owned as (
    select
        sessions.*,
        coalesce(sessions.user_id, devices.user_id) as owner_id,
        coalesce(sessions.user_id, devices.user_id, {{ text("sessions.device_id", before="device:") }}) as user_key
    from {{ model("sessions") }} as sessions
    left join devices on devices.org_id = sessions.org_id and devices.device_id = sessions.device_id
),
numbered as (
    select owned.*, {{ place(in_time, within=whose) }} as place
    from owned
),
marked as (
    select
        numbered.*,
        {%- include "last_places.sql" %}
    from numbered
)
select
    org_id,
    user_key,
    max(owner_id) as user_id,
    {%- include "sums.sql" %}
    count(distinct device_id) as total_devices,
    max(case when place = last_place then device_id end) as last_device_id,
    max(case when place = last_place then full_session_id end) as last_full_session_id,
    {%- include "last_device.sql" %}
from marked
group by {{ whose }}
