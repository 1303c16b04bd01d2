"""What the models' SQL needs and each engine says its own way.

Everything else in the `.sql` files is understood by all of them. Names in models have no quotes, so that each engine
folds them as its users expect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

HOST = "^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]+)"
PATH = "^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]+(/[^?#]*)"


@dataclass(frozen=True)
class ModelDialect:
    """How an engine says what is not the same everywhere.

    Args:
        name: Its name, as sqlglot calls it too.
        text: Its type of texts.
        whole: Its type of 64-bit integers.
        seconds: Whole seconds from `{start}` to `{end}`.
        hour: The hour in which `{time}` lies, in UTC.
        part: What the first group of the regular expression `{pattern}` finds in `{value}`; NULL or nothing without.
        moment: A time, from its text `{text}` in ISO 8601.
    """

    name: str
    text: str
    whole: str
    seconds: str
    hour: str
    part: str
    moment: str

    def literal(self, moment: datetime) -> str:
        """Return a time as a constant."""
        return self.moment.format(text=moment.astimezone(timezone.utc).isoformat(sep=" "))


_POSTGRES = {
    "text": "varchar",
    "whole": "bigint",
    "seconds": "cast(floor(extract(epoch from ({end} - {start}))) as bigint)",
    "hour": "date_trunc('hour', {time})",
    "moment": "timestamptz '{text}'",
}

DIALECTS: Mapping[str, ModelDialect] = {
    "duckdb": ModelDialect(
        "duckdb",
        text="varchar",
        whole="bigint",
        seconds="cast((epoch_us({end}) - epoch_us({start})) // 1000000 as bigint)",
        hour="date_trunc('hour', {time})",
        part="regexp_extract({value}, '{pattern}', 1)",
        moment="timestamptz '{text}'",
    ),
    "postgres": ModelDialect("postgres", part="substring({value} from '{pattern}')", **_POSTGRES),
    "redshift": ModelDialect("redshift", part="regexp_substr({value}, '{pattern}', 1, 1, 'e')", **_POSTGRES),
    "bigquery": ModelDialect(
        "bigquery",
        text="string",
        whole="int64",
        seconds="div(timestamp_diff({end}, {start}, microsecond), 1000000)",
        hour="timestamp_trunc({time}, hour)",
        part="regexp_extract({value}, r'{pattern}')",
        moment="timestamp '{text}'",
    ),
    "snowflake": ModelDialect(
        "snowflake",
        text="varchar",
        whole="bigint",
        seconds="cast(floor(timestampdiff(microsecond, {start}, {end}) / 1000000) as bigint)",
        hour="date_trunc('hour', {time})",
        part="regexp_substr({value}, '{pattern}', 1, 1, 'e')",
        moment="timestamp_tz '{text}'",
    ),
}
"""By the warehouse's `kind`."""
