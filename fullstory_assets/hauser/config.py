"""hauser's configuration file, read and checked as hauser does it, each problem with its line.

The rules are those of hauser's own validation, with one more where we take less than it does (`_length_here`). Secrets
are kept out of every text. What becomes of the settings is the business of `convert`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from typing import Literal, cast

from fullstory_assets.config.values import format_duration
from fullstory_assets.hauser.durations import DAY, HOUR, MINUTE, parse_go_duration
from fullstory_assets.hauser.settings import HEADERS, SETTINGS, TOKEN_VARIABLE, Kind
from fullstory_assets.hauser.toml_file import TomlFile, parse
from fullstory_assets.windows import EVERY

Provider = Literal["local", "aws", "gcp"]
"""Whose storage and database hauser uses."""

Value = str | bool | int | timedelta | datetime
"""A setting's value, by its kind: text, switch, number, duration, time in UTC."""

ONLY: Mapping[Provider, str] = {"aws": "S3.S3Only", "gcp": "GCS.GCSOnly"}
"""The old name of `StorageOnly`, by provider."""

_OLD_PROVIDERS: Mapping[str, Provider] = {"local": "local", "redshift": "aws", "bigquery": "gcp"}
_STORAGE_NEEDS: Mapping[str, tuple[str, ...]] = {
    "local": ("Local.SaveDir",),
    "aws": ("S3.Bucket",),
    "gcp": ("GCS.Bucket",),
}
_DATABASE_NEEDS: Mapping[str, tuple[str, ...]] = {
    "aws": ("Redshift.Host", "Redshift.DB", "Redshift.User", "Redshift.ExportTable"),
    "gcp": ("BigQuery.Dataset", "BigQuery.ExportTable"),
}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_YEARS = range(2000, 2100)


@dataclass(frozen=True)
class ExtraHeader:
    """One entry of `AdditionalHttpHeader`."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class HauserConfig:
    """A configuration that hauser would run with.

    Args:
        file: What stands in the file, and where.
        values: The settings of the file, empty and zero ones too.
        headers: The entries of `AdditionalHttpHeader`.
        provider: Whose storage and database is used.
        token_in_environment: Whether `FULLSTORY_API_TOKEN` is set, which hauser uses in place of `FsApiToken`.
    """

    file: TomlFile
    values: Mapping[str, Value] = field(repr=False)
    headers: tuple[ExtraHeader, ...]
    provider: Provider
    token_in_environment: bool

    def text(self, name: str) -> str:
        """Return the text of a setting; empty when it is not set."""
        return cast("str", self.values.get(name, ""))

    def duration(self, name: str) -> timedelta:
        """Return the duration of a setting; zero when it is not set."""
        return cast("timedelta", self.values.get(name, timedelta()))

    @property
    def storage_only(self) -> bool:
        """Whether files are all that hauser makes."""
        return _storage_only(self.provider, self.values)

    @property
    def every(self) -> timedelta:
        """How long each export's window is."""
        return self.duration("ExportDuration") or (DAY if self.values.get("GroupFilesByDay") else HOUR)


def read_config(text: str, *, source: str, environ: Mapping[str, str]) -> HauserConfig:
    """Return the configuration in the TOML `text` of the file `source`.

    Args:
        text: What stands in the file.
        source: What messages call the file.
        environ: Environment variables, of which hauser reads `FULLSTORY_API_TOKEN`.

    Raises:
        ConfigError: It is not TOML, or hauser would refuse it, or its windows have a length that we do not take;
            the text has a line for each problem.
    """
    file = parse(text, source=source)
    headers = tuple(_headers(file, file.values.pop(HEADERS, [])))
    read = {name: _read_value(file, name, value) for name, value in file.values.items()}
    values = {name: value for name, value in read.items() if value is not None}
    _check_times(file, values)
    provider = _provider(file, values)
    if provider:
        _check_targets(file, values, provider)
    if file.problems or not provider:
        raise file.complaint()
    return HauserConfig(file, values, headers, provider, bool(environ.get(TOKEN_VARIABLE)))


def _headers(file: TomlFile, entries: object) -> list[ExtraHeader]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        file.problems.append((HEADERS, f"must be a list: `[[{HEADERS}]]`, then a line for `Key` and one for `Value`"))
        return []
    headers: list[ExtraHeader] = []
    for number, entry in enumerate(entries, start=1):
        found = {key.lower(): value for key, value in entry.items()}
        file.unknown += [f"{HEADERS}[{number}].{key}" for key in entry if key.lower() not in ("key", "value")]
        name, value = found.get("key", ""), found.get("value", "")
        if isinstance(name, str) and name and isinstance(value, str):
            headers.append(ExtraHeader(name, value))
        else:
            file.problems.append((f"{HEADERS}[{number}]", "needs a `Key` and a `Value`, both text between quotes"))
    return headers


def _read_value(file: TomlFile, name: str, value: object) -> Value | None:
    try:
        return _value(SETTINGS[name].kind, value)
    except ValueError as error:
        file.problems.append((name, str(error)))
        return None


def _value(kind: Kind, value: object) -> Value:
    if kind == "duration":
        # BurntSushi/toml gives numbers to the parser of durations as text, so that 0 is one.
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return parse_go_duration(str(value))
        raise ValueError("must be a duration between quotes, such as `90m`")
    if kind == "time":
        return _time(value)
    if kind == "switch" and isinstance(value, bool):
        return value
    if kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "text" and isinstance(value, str):
        return value
    wanted = {"switch": "`true` or `false`", "number": "a whole number without quotes", "text": "text between quotes"}
    raise ValueError(f"must be {wanted[kind]}")


def _time(value: object) -> datetime | str:
    if value == "":
        return ""
    if isinstance(value, str) and _TIME.fullmatch(value):
        # Python 3.10 does not read `Z`, nor other numbers of decimals than three and six.
        value = datetime.fromisoformat(re.sub(r"\.\d+", "", value).upper().replace("Z", "+00:00"))
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        if moment.year == 1:  # Go's zero time
            return ""
        if moment.year not in _YEARS:
            raise ValueError(f"must be a time from {_YEARS[0]} to {_YEARS[-1]}")
        return moment.replace(tzinfo=timezone.utc) if moment.utcoffset() is None else moment.astimezone(timezone.utc)
    raise ValueError("must be a time such as 2026-01-01T00:00:00Z")


def _check_times(file: TomlFile, values: Mapping[str, Value]) -> None:
    every, delay = values.get("ExportDuration"), values.get("ExportDelay")
    if isinstance(every, timedelta) and every:
        if not 15 * MINUTE <= every <= DAY:
            file.problems.append(("ExportDuration", "is out of range: 15m at least, 24h at most"))
        elif DAY % every:
            file.problems.append(("ExportDuration", "must divide 24 hours evenly, as 6h does"))
        elif every not in EVERY.values():
            file.problems.append(("ExportDuration", _length_here(every)))
    if isinstance(delay, timedelta) and delay and delay < HOUR:
        file.problems.append(("ExportDelay", "is too short: 1h at least"))
    expiration = values.get("BigQuery.PartitionExpiration")
    if isinstance(expiration, timedelta) and expiration < timedelta():
        file.problems.append(("BigQuery.PartitionExpiration", "must not be negative; 0 is for ever"))


def _length_here(every: timedelta) -> str:
    shorter = max(length for length in EVERY.values() if length < every)
    longer = min(length for length in EVERY.values() if length > every)
    return (
        f"hauser takes {format_duration(every)}, we do not. Choose {format_duration(shorter)} or "
        f"{format_duration(longer)} in a copy of the file; lengths here: {', '.join(EVERY)}"
    )


def _provider(file: TomlFile, values: Mapping[str, Value]) -> Provider | None:
    provider, old = values.get("Provider", ""), values.get("Warehouse", "")
    for known in ("local", "aws", "gcp"):
        if provider == known:
            return known
    if provider:
        file.problems.append(("Provider", "is not one that hauser knows: local, aws or gcp, in small letters"))
    elif old in _OLD_PROVIDERS:
        return _OLD_PROVIDERS[str(old)]
    elif old:
        file.problems.append(
            ("Warehouse", "is not one that hauser knows: local, redshift or bigquery; or set `Provider`")
        )
    elif not {name for name, _ in file.problems} & {"Provider", "Warehouse"}:
        file.problems.append(("Provider", "is missing: local, aws or gcp"))
    return None


def _storage_only(provider: Provider, values: Mapping[str, Value]) -> bool:
    return provider == "local" or bool(values.get("StorageOnly") or values.get(ONLY[provider]))


def _check_targets(file: TomlFile, values: Mapping[str, Value], provider: Provider) -> None:
    only = _storage_only(provider, values)
    if values.get("SaveAsJson") and not only:
        file.problems.append(("SaveAsJson", "goes with `StorageOnly` alone: hauser loads no JSON into a database"))
    needed = (*_STORAGE_NEEDS[provider], *(() if only else _DATABASE_NEEDS[provider]))
    wrong = {name for name, _ in file.problems}
    for name in needed:
        if not values.get(name) and name not in wrong:
            file.problems.append((name, f"is missing; `Provider` {provider} needs it"))
    start = values.get("Local.StartTime") or values.get("StartTime")
    if provider == "local" and values.get("Local.UseStartTime") and not start:
        file.problems.append(("Local.UseStartTime", "needs `StartTime`"))
