"""Of which columns columns are made: as the SQL says it, today."""

from fullstory_assets.models.declared import MODELS
from fullstory_assets.models.lineage import EVENTS_TABLE, PATH, made_of, made_of_text
from fullstory_assets.schema import EVENTS
from fullstory_assets_tests.lineage import lineage_text


def test_the_file_is_what_the_sql_says():
    assert PATH.read_text() == lineage_text(), "run `make docs`"


def test_what_columns_are_made_of_is_there():
    columns = {(model.name, column.name) for model in MODELS for column in model.columns}
    known = {*columns, *((EVENTS_TABLE, column.name) for column in EVENTS)}
    made = {of for model, column in columns for of in made_of(model, column)}
    assert made <= known
    assert {name for model, name in made if model == EVENTS_TABLE} == {it.name for it in EVENTS} - {"OrgId"}


def test_by_hand():
    assert made_of("sessions", "failed_requests") == [("events", "event_type"), ("events", "req_status")]
    assert made_of("sessions", "last_email") == [("events", "user_email")]
    assert made_of("users", "user_key") == [("sessions", "device_id"), ("sessions", "user_id")]
    assert made_of("identified_users", "last_email") == [("users", "last_email")]
    assert made_of("events", "full_session_id") == [("events_table", "SessionId"), ("events_table", "UserId")]
    assert made_of("sessions", "total_events") == made_of("event_types", "name") == []
    assert made_of("sessions", "unknown") == made_of("unknown", "org_id") == []
    assert made_of_text("events", "device_id") == "`UserId`"
    assert made_of_text("pages", "start_time") == "`events.event_start`, `events.page_start`"
