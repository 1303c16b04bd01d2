{%- set whose = "org_id, device_id" -%}
with numbered as (
    select sessions.*, {{ place("end_time, start_time, session_id", within=whose) }} as place
    from {{ model("sessions") }} as sessions
),
marked as (
    select
        numbered.*,
        {{ last("user_id", within=whose) }} as user_place,
        {%- include "last_places.sql" %}
    from numbered
)
select
    org_id,
    device_id,
    max(case when place = user_place then user_id end) as last_user_id,
    count(distinct user_id) as total_users,
    {%- include "sums.sql" %}
    max(case when place = last_place then full_session_id end) as last_full_session_id,
    {%- include "last_device.sql" %}
from marked
group by {{ whose }}
