{%- set latest = "end_time desc, start_time desc, device_id desc, session_id desc" -%}
{%- set whose = "org_id, user_key" -%}
with devices as (
    select org_id, device_id, user_id
    from (
        select
            org_id,
            device_id,
            user_id,
            {{ place(latest, within="org_id, device_id") }} as place
        from {{ model("sessions") }} as identified
        where user_id is not null
    ) as identified
    where place = 1
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
    select
        owned.*,
        {%- include "last_places.sql" %}
    from owned
)
select
    org_id,
    user_key,
    max(owner_id) as user_id,
    {%- include "sums.sql" %}
    count(distinct device_id) as total_devices,
    max(case when last_place = 1 then device_id end) as last_device_id,
    max(case when last_place = 1 then full_session_id end) as last_full_session_id,
    {%- include "last_device.sql" %}
from numbered
group by org_id, user_key
