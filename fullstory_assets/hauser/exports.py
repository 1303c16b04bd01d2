"""How hauser exported, as our settings of an organization: key, segment, windows, headers."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from fullstory_assets.hauser.config import ExtraHeader, HauserConfig
from fullstory_assets.hauser.draft import Draft, Variable
from fullstory_assets.hauser.durations import DAY, MINUTE
from fullstory_assets.hauser.settings import HEADERS, TOKEN_VARIABLE

KEY_VARIABLE = "FULLSTORY_API_KEY"
"""Environment variable that our configuration names for hauser's token."""

NO_START = (
    "`StartTime` is not set: hauser begins 30 days before its first start. `start` is 30 days ago, as a fixed date; "
    "set the day of hauser's first event to make older windows loadable here."
)
"""What is said as long as only hauser's configuration was read, and not how far it came."""

_DEFAULT_API_URL = "https://api.fullstory.com"
_DEFAULT_DAYS = 30
# Any other may hold a gateway's password.
_NEVER_SECRET = ("accept", "accept-language", "from", "user-agent", "via", "x-forwarded-for", "x-forwarded-proto")


def put_exports(draft: Draft, now: datetime) -> None:
    """Fill the settings of an organization, but for its table."""
    _put_key(draft)
    _put_export(draft, now)
    _put_headers(draft)


def _put_key(draft: Draft) -> None:
    if draft.recipe:
        count = len(draft.recipe.organizations)
        draft.say("FsApiToken", becomes="keys_file", note=f"the keys of {count} organizations stay in that file")
        return
    in_file = bool(draft.config.text("FsApiToken"))
    if in_file and not draft.config.token_in_environment:
        draft.put("FsApiToken", "organizations", "api_key_env", KEY_VARIABLE, note="not copied")
        draft.variables.append(Variable(KEY_VARIABLE, "the token that stands in `FsApiToken`, as it is"))
        return
    note = "hauser reads that variable in place of it" if in_file else ""
    draft.put("FsApiToken", "organizations", "api_key_env", TOKEN_VARIABLE, note=note)
    draft.variables.append(Variable(TOKEN_VARIABLE, "the token, as for hauser"))


def _put_export(draft: Draft, now: datetime) -> None:
    config = draft.config
    segment, api_url = config.text("SegmentId"), config.text("ApiURL").rstrip("/")
    if segment:
        draft.put("SegmentId", "organizations", "segment", segment)
    if api_url == _DEFAULT_API_URL:
        draft.say("ApiURL", note="is the default: the address follows from the key")
    elif api_url:
        draft.put("ApiURL", "organizations", "api_url", api_url)
    if config.duration("ExportDuration"):
        draft.put("ExportDuration", "organizations", "every", config.every)
        draft.say("GroupFilesByDay", note="`ExportDuration` goes before it")
    elif config.values.get("GroupFilesByDay"):
        draft.put("GroupFilesByDay", "organizations", "every", config.every)
    _put_lag(draft)
    _put_start(draft, now)


def _put_lag(draft: Draft) -> None:
    delay = draft.config.duration("ExportDelay")
    if not delay:
        return
    lag, note = -(-delay // MINUTE) * MINUTE, ""
    if draft.recipe and draft.recipe.staggers(delay):
        lag, note = DAY, "the ten minutes a line of the recipe only kept processes apart"
    elif lag != delay:
        note = "rounded up to whole minutes"
    elif delay < DAY:
        note = "values still change within 24 hours: with `settle: 26h` each window is replaced once more"
    draft.put("ExportDelay", "organizations", "lag", lag, note=note)


def _put_start(draft: Draft, now: datetime) -> None:
    config = draft.config
    setting, start = _start(config)
    if start:
        rounded = _grid_floor(start, config.every)
        written = config.file.values.get(setting)
        local = isinstance(written, date) and not (isinstance(written, datetime) and written.tzinfo)
        notes = ["taken as UTC: it has no zone"] if local else []
        note = "; ".join([*notes, *(["rounded down to the beginning of a window"] if rounded != start else [])])
        draft.put(setting, "organizations", "start", rounded, note=note)
        if setting == "StartTime" and config.provider == "local":
            draft.say("Local.StartTime", note="`StartTime` goes before it")
        return
    draft.organization["start"] = _grid_floor(now - _DEFAULT_DAYS * DAY, DAY)
    draft.notes.append(NO_START)


def start_of(config: HauserConfig) -> datetime | None:
    """Return the time at which hauser began; `None` when its configuration does not say."""
    return _start(config)[1]


def _start(config: HauserConfig) -> tuple[str, datetime | None]:
    for setting in ("StartTime", "Local.StartTime") if config.provider == "local" else ("StartTime",):
        start = config.values.get(setting)
        if isinstance(start, datetime):
            return setting, start
    return "StartTime", None


def _grid_floor(moment: datetime, every: timedelta) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // every * every


def _put_headers(draft: Draft) -> None:
    headers: dict[str, object] = {}
    last = {header.name.lower(): number for number, header in enumerate(draft.config.headers, start=1)}
    for number, header in enumerate(draft.config.headers, start=1):
        setting, label = f"{HEADERS}[{number}]", f"{HEADERS} {header.name}"
        if header.name.lower() == "authorization":
            note = "not taken: this header is always made from the API key. If hauser needs it, the key is in it"
            draft.say(setting, label=label, note=note)
            continue
        if number < last[header.name.lower()]:
            draft.say(setting, label=label, note="the last entry of this name goes before it")
            continue
        headers[header.name] = _header_value(draft, setting, label, header)
        draft.origins["organizations", header.name] = setting
    if headers:
        draft.organization["headers"] = headers


def _header_value(draft: Draft, setting: str, label: str, header: ExtraHeader) -> object:
    if header.name.lower() in _NEVER_SECRET:
        draft.say(setting, label=label, becomes=f"headers: {header.name}")
        return header.value
    name = f"FULLSTORY_HEADER_{re.sub('[^A-Z0-9]', '_', header.name.upper())}"[:60]
    taken = sum(each.name.startswith(name) for each in draft.variables)
    variable = Variable(f"{name}_{taken + 1}" if taken else name, f"the value of the header {header.name}")
    draft.variables.append(variable)
    draft.say(setting, label=label, becomes=f"headers: {header.name}: {{env: {variable.name}}}", note="not copied")
    return {"env": variable.name}
