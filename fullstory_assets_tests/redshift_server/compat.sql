-- What Redshift has and PostgreSQL lacks; run once in the database that all others are copies of.
CREATE DOMAIN super AS json;
CREATE FUNCTION redshift_json_serialize(super) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1::text $$;
CREATE FUNCTION json_parse(text) RETURNS super LANGUAGE sql IMMUTABLE AS $$ SELECT $1::json::super $$;
CREATE FUNCTION json_extract_path_text(text, VARIADIC text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1::jsonb #>> $2 $$;
CREATE FUNCTION getdate() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT now() AT TIME ZONE 'UTC' $$;
CREATE TABLE sys_load_error_detail (
  user_id integer, query_id bigint, transaction_id bigint, session_id integer, database_name character(64), table_id integer,
  start_time timestamp DEFAULT now(), file_name character(256), line_number bigint, column_name character(127),
  column_type character(10), column_length character(10), position integer, error_code integer, error_message character(512)
);
GRANT SELECT ON sys_load_error_detail TO PUBLIC;
