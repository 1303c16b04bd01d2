
        {{ last(within=whose) }} as last_place,
        {{ last("last_email", within=whose) }} as email_place,
        {{ last("last_display_name", within=whose) }} as name_place,
        coalesce({{ last("last_user_agent", within=whose) }}, {{ last(within=whose) }}) as device_place
