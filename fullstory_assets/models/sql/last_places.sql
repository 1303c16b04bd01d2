
        {{ place(latest, within=whose) }} as last_place,
        {{ place(latest, within=whose, having="last_email") }} as email_place,
        {{ place(latest, within=whose, having="last_display_name") }} as name_place,
        {{ place(latest, within=whose, having="last_user_agent") }} as device_place
