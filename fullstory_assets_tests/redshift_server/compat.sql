-- What Redshift has and PostgreSQL lacks; run once in the database that all others are copies of.
CREATE DOMAIN super AS json;
CREATE FUNCTION redshift_json_serialize(super) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1::text $$;
CREATE FUNCTION json_parse(text) RETURNS super LANGUAGE sql IMMUTABLE AS $$ SELECT $1::json::super $$;
CREATE FUNCTION json_extract_path_text(text, VARIADIC text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1::jsonb #>> $2 $$;
CREATE FUNCTION getdate() RETURNS timestamp LANGUAGE sql STABLE AS $$ SELECT now() AT TIME ZONE 'UTC' $$;
CREATE FUNCTION redshift_datediff(text, timestamp, timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT (extract(epoch FROM $3) * 1000000)::bigint - (extract(epoch FROM $2) * 1000000)::bigint WHERE $1 = 'microsecond' $$;
CREATE FUNCTION redshift_regexp_substr(text, text, int, int, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(regexp_substr($1, $2, $3, $4, replace($5, 'e', ''), strpos($5, 'e')), '') WHERE $1 IS NOT NULL $$;
CREATE TABLE sys_load_error_detail (
  user_id integer, query_id bigint, transaction_id bigint, session_id integer, database_name character(64), table_id integer,
  start_time timestamp DEFAULT now(), file_name character(256), line_number bigint, column_name character(127),
  column_type character(10), column_length character(10), position integer, error_code integer, error_message character(512)
);
GRANT SELECT ON sys_load_error_detail TO PUBLIC;

-- https://docs.aws.amazon.com/redshift/latest/dg/JSON_EXTRACT_PATH_TEXT.html; nothing is an empty text.
CREATE FUNCTION redshift_json_extract_path_text(text, text, boolean) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN $1 IS JSON OR NOT $3 THEN coalesce($1::json ->> $2, '') END
$$;
