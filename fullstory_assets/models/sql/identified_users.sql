select * from {{ model("users") }} where user_id is not null
