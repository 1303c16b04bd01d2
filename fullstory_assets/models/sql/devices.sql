{%- set latest = "end_time desc, start_time desc, device_id desc, session_id desc" -%}
{%- set whose = "org_id, device_id" -%}
with numbered as (
    select
        sessions.*,
        {{ place(latest, within=whose, having="user_id") }} as user_place,
        {%- include "last_places.sql" %}
    from {{ model("sessions") }} as sessions
)
select
    org_id,
    device_id,
    max(case when user_place = 1 then user_id end) as last_user_id,
    count(distinct user_id) as total_users,
    {%- include "sums.sql" %}
    max(case when last_place = 1 then full_session_id end) as last_full_session_id,
    {%- include "last_device.sql" %}
from numbered
group by org_id, device_id
