"""What the models' SQL needs and each engine says its own way.

Everything else in the `.sql` files is understood by all of them. Names in models have no quotes, so that each engine
folds them as its users expect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Literal

from fullstory_assets.schema import ColumnType

HOST = "^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]+)"
PATH = "^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]+(/[^?#]*)"
QUERY = "^[^?#]*([?][^#]*)"
HASH_PATH = "^[^#]*(#[^?]*)"
HASH_QUERY = "^[^#]*#[^?]*([?].*)"


@dataclass(frozen=True)
class ModelDialect:
    """How an engine says what is not the same everywhere.

    Args:
        name: Its name, as sqlglot calls it too.
        text: Its type of texts, in a cast.
        whole: Its type of 64-bit integers.
        seconds: Whole seconds from `{start}` to `{end}`, which is not before.
        hour: The hour in which `{time}` lies, in UTC.
        part: What the first group of the regular expression `{pattern}` finds in `{value}`; NULL or nothing without.
        moment: A time, from its text `{text}` in ISO 8601.
        layout: How a table's rows lie, by the time in `{time}`, behind its columns where it is made.
        index: Statement that makes the index `{index}` on `{columns}` of `{table}`; empty where there are none.
        custom: The text of a custom variable `{name}` in `{value}`, which is JSON in its type of JSON; NULL or nothing
            without.
        custom_of_text: The same, where that is kept as text.
        json_text: The text of `{value}`, which is JSON in its type of JSON.
        comments: Where descriptions of tables and columns stand: in statements of their own, or behind each name when
            it is made, introduced by `comment` or as `options`.
        without_zone: Regular expression of those of its types that hold times without a zone.
        naive: Such a time, from its text `{text}`.
        utc: Such a time `{value}`, which is UTC, with its zone, whatever that of the session is.
        escapes: What stands for a character within the quotes of a text, in this order.
        types: Its types in SQL, where they are not spelled as in `Dialect`.
        pair: An entry `{key}` of an object of JSON, with the value `{value}`.
        object: Such an object, of `{pairs}`.
        json: An object `{value}` as its type of JSON, in which others have such events.
    """

    name: str
    text: str
    whole: str
    seconds: str
    hour: str
    part: str
    moment: str
    custom: str
    custom_of_text: str
    layout: str = ""
    index: str = ""
    json_text: str = "cast({value} as varchar)"
    comments: Literal["statement", "comment", "options"] = "statement"
    without_zone: str = "timestamp without time zone"
    naive: str = "cast('{text}' as timestamp)"
    utc: str = "({value} at time zone 'UTC')"
    escapes: tuple[tuple[str, str], ...] = (("'", "''"),)
    types: Mapping[ColumnType, str] = field(default_factory=dict)
    pair: str = "'{key}', {value}"
    object: str = "json_object({pairs})"
    json: str = "{value}"

    def quoted(self, text: str) -> str:
        """Return a text as a constant."""
        for character, escape in self.escapes:
            text = text.replace(character, escape)
        return f"'{text}'"

    def literal(self, moment: datetime) -> str:
        """Return a time as a constant."""
        return self.moment.format(text=moment.astimezone(timezone.utc).isoformat(sep=" "))

    def literal_of(self, engine_type: str, moment: datetime) -> str:
        """Return a time as a constant that compares with columns of a type of the engine's own."""
        if not self.has_no_zone(engine_type):
            return self.literal(moment)
        return self.naive.format(text=moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(sep=" "))

    def has_no_zone(self, engine_type: str) -> bool:
        """Return whether a type of the engine's own holds times without a zone."""
        return bool(re.fullmatch(self.without_zone, engine_type))


DIALECTS: Mapping[str, ModelDialect] = {
    "duckdb": ModelDialect(
        "duckdb",
        text="varchar",
        whole="bigint",
        seconds="cast((epoch_us({end}) - epoch_us({start})) // 1000000 as bigint)",
        hour="date_trunc('hour', {time})",
        part="regexp_extract({value}, '{pattern}', 1)",
        moment="timestamptz '{text}'",
        custom="json_extract_string({value}, '$.\"{name}\"')",
        custom_of_text="case when json_valid({value}) then json_extract_string({value}, '$.\"{name}\"') end",
        without_zone="TIMESTAMP",
    ),
    "postgres": ModelDialect(
        "postgres",
        text="varchar",
        whole="bigint",
        seconds="cast(floor(extract(epoch from ({end} - {start}))) as bigint)",
        hour="date_trunc('hour', {time})",
        part="substring({value} from '{pattern}')",
        index="create index if not exists {index} on {table} ({columns})",
        moment="cast('{text}' as timestamptz)",
        custom="({value} ->> '{name}')",
        custom_of_text="(cast(nullif({value}, '') as json) ->> '{name}')",
        object="jsonb_build_object({pairs})",
    ),
    # https://docs.aws.amazon.com/redshift/latest/dg/REGEXP_SUBSTR.html: `e` is for the first group.
    # https://docs.aws.amazon.com/redshift/latest/dg/r_DATEDIFF_function.html: a BIGINT; it lists no times with a zone.
    "redshift": ModelDialect(
        "redshift",
        text="varchar",
        whole="bigint",
        seconds="datediff(microsecond, cast({start} as timestamp), cast({end} as timestamp)) / 1000000",
        hour="date_trunc('hour', {time})",
        part="regexp_substr({value}, '{pattern}', 1, 1, 'e')",
        moment="cast('{text}' as timestamptz)",
        layout=" sortkey ({time})",
        custom="json_extract_path_text(json_serialize({value}), '{name}', true)",
        custom_of_text="json_extract_path_text({value}, '{name}', true)",
        json_text="json_serialize({value})",
        escapes=(("\\", "\\\\"), ("'", "''")),
        # https://docs.aws.amazon.com/redshift/latest/dg/r_object_function.html
        object="object({pairs})",
    ),
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#regexp_extract: the group, if any.
    "bigquery": ModelDialect(
        "bigquery",
        text="string",
        whole="int64",
        seconds="div(timestamp_diff({end}, {start}, microsecond), 1000000)",
        hour="timestamp_trunc({time}, hour)",
        part="regexp_extract({value}, r'{pattern}')",
        moment="timestamp '{text}'",
        # Deletes and queries with a condition on this time read the partitions of these days only.
        layout=" partition by timestamp_trunc({time}, day) cluster by org_id, device_id",
        custom="json_value({value}, '$.\"{name}\"')",
        custom_of_text="json_value({value}, '$.\"{name}\"')",
        json_text="{value}",
        comments="options",
        escapes=(("\\", "\\\\"), ("'", "\\'")),
        without_zone="DATETIME",
        types={"int64": "int64", "float64": "float64", "text": "string", "timestamp": "timestamp", "json": "string"},
        pair="{value} as {key}",
        object="struct({pairs})",
        json="to_json_string({value})",
    ),
    # https://docs.snowflake.com/en/sql-reference/functions/regexp_substr: `e` is for the first group.
    "snowflake": ModelDialect(
        "snowflake",
        text="varchar",
        whole="bigint",
        seconds="cast(floor(timestampdiff(microsecond, {start}, {end}) / 1000000) as bigint)",
        hour="date_trunc('hour', {time})",
        part="regexp_substr({value}, '{pattern}', 1, 1, 'e')",
        moment="cast('{text}' as timestamp_tz)",
        custom='cast({value}:"{name}" as varchar)',
        custom_of_text='cast(try_parse_json({value}):"{name}" as varchar)',
        json_text="to_json({value})",
        comments="comment",
        escapes=(("\\", "\\\\"), ("'", "''")),
        without_zone=r"TIMESTAMP_NTZ\(\d\)",
        naive="cast('{text}' as timestamp_ntz)",
        # Not by way of text, which is read as the session of who asks is set.
        utc="timestampadd(microsecond, timestampdiff(microsecond, cast('1970-01-01 00:00:00' as timestamp_ntz), "
        "{value}), cast('1970-01-01 00:00:00 +00:00' as timestamp_tz))",
        # https://docs.snowflake.com/en/sql-reference/functions/object_construct: entries without a value are left out.
        object="object_construct({pairs})",
        json="cast({value} as variant)",
    ),
}
"""By the warehouse's `kind`."""
