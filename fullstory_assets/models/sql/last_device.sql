
    max(case when place = last_place then last_source_type end) as last_source_type,
    max(case when place = email_place then last_email end) as last_email,
    max(case when place = name_place then last_display_name end) as last_display_name,
    max(case when place = device_place then last_user_agent end) as last_user_agent,
    max(case when place = device_place then last_device_type end) as last_device_type,
    max(case when place = device_place then last_operating_system end) as last_operating_system,
    max(case when place = device_place then last_browser end) as last_browser,
    max(case when place = device_place then last_browser_version end) as last_browser_version,
    max(case when place = device_place then last_ip_address end) as last_ip_address,
    max(case when place = device_place then last_lat_long end) as last_lat_long
