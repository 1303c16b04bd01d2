
    max(case when last_place = 1 then last_source_type end) as last_source_type,
    max(case when email_place = 1 then last_email end) as last_email,
    max(case when name_place = 1 then last_display_name end) as last_display_name,
    max(case when device_place = 1 then last_user_agent end) as last_user_agent,
    max(case when device_place = 1 then last_device_type end) as last_device_type,
    max(case when device_place = 1 then last_operating_system end) as last_operating_system,
    max(case when device_place = 1 then last_browser end) as last_browser,
    max(case when device_place = 1 then last_browser_version end) as last_browser_version,
    max(case when device_place = 1 then last_ip_address end) as last_ip_address,
    max(case when device_place = 1 then last_lat_long end) as last_lat_long
