select * from {{ model("users") }} where user_id is null
