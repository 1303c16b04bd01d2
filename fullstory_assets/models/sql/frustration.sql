
    count(case when event_type = 'click' and event_mod_frustrated > 0 then 1 end) as rage_clicks,
    count(case when event_type = 'click' and event_mod_dead > 0 then 1 end) as dead_clicks,
    count(case when event_type = 'click' and event_mod_error > 0 then 1 end) as error_clicks,
    count(case when event_type = 'exception' then 1 end) as exceptions,
    count(case when event_type = 'console_message' and event_sub_type = 'error' then 1 end) as console_errors,
    count(case when event_type = 'request' and req_status >= 400 then 1 end) as failed_requests,
