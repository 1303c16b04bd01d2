"""One FullStory organization: how its events are exported, and where its key is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
)

from fullstory_assets.config.addresses import FullStoryOrg
from fullstory_assets.config.keys_file import read_key
from fullstory_assets.config.secrets import read_secret
from fullstory_assets.config.values import (
    SANDBOX,
    ApiUrl,
    Duration,
    ExportCount,
    FilledIn,
    Header,
    HeaderName,
    OrganizationName,
    SecretHeader,
    Section,
    SegmentId,
    Source,
    SqlName,
    UtcTime,
    VariableName,
    WindowLength,
    format_duration,
    is_api_key,
    is_header_text,
)
from fullstory_assets.errors import MissingSecret
from fullstory_assets.windows import EVERY, WindowGrid

_HOUR = timedelta(hours=1)
_ALL_USERS = "everyone"


class Organization(Section):
    """One FullStory organization and how its events are exported."""

    # Not to be written: it comes from the `keys_file` of the whole file, and goes with the organization to its runs.
    keys_file: Annotated[Path | None, FilledIn()] = None

    name: OrganizationName = Field(
        description="Your name for it: folder in storage, `OrgId` in the table, name in Dagster. Letters, digits, `_` "
        "and `-`, at most 63; two names may not differ only in case or in `-` and `_`.",
    )
    api_key_env: VariableName = Field(
        default="FULLSTORY_API_KEY",
        description="Environment variable that holds the API key (level Architect or Admin). Never the key itself.",
    )
    api_url: ApiUrl | None = Field(
        default=None,
        description="Address of the API; https, or http on this machine. Unset: that of the `source`, in the "
        f"key's data centre. `{SANDBOX}` is the built-in fake FullStory.",
    )
    source: Source = Field(
        default="segment_export",
        description="Which of FullStory's APIs the events come from: `segment_export` makes an export of each window; "
        "`legacy_export` takes the ready-made files of the deprecated Data Export API.",
    )
    segment: SegmentId = Field(
        default=_ALL_USERS,
        description="Id of the segment to export: the last part of the segment's address in FullStory. "
        "`everyone` is all users.",
    )
    every: WindowLength = Field(
        default=_HOUR, description=f"Length of a window, exported and loaded as one: {', '.join(EVERY)}."
    )
    start: UtcTime = Field(
        description="First window to export, such as `2026-01-01` or `2026-01-01T04:00Z`; UTC unless it has an offset. "
        "A multiple of `every` after midnight UTC.",
    )
    lag: Duration = Field(
        default=24 * _HOUR,
        description="How long after its end a window may be exported, at least 1h. FullStory still changes values "
        "within the first 24 hours; with a shorter lag, set `settle`.",
    )
    settle: Duration | None = Field(
        default=None,
        description="How long after its end a window that was loaded earlier is exported and replaced once more; "
        "longer than `lag`. Unset: never.",
    )
    max_exports: ExportCount = Field(
        default=4,
        description="How many exports are under way at once in a run of several windows, 1 to 32. FullStory documents "
        "no limit; more make a backfill faster.",
    )
    table: SqlName | None = Field(
        default=None, description="Table for this organization's events. Unset: the warehouse's `table`, shared by all."
    )
    adopt_rows: bool = Field(
        default=False,
        description="Rows of the table without `OrgId`, such as hauser's, are this organization's: replaced when their "
        "window is loaded.",
    )
    fullstory_org: FullStoryOrg | None = Field(
        default=None,
        description="The organization's id in the addresses of FullStory's pages, such as `o-1ABC2D-na1`, for links to "
        "replays. Unset: no links.",
    )
    headers: Mapping[HeaderName, Header] = Field(
        default_factory=dict,
        description="More HTTP headers for FullStory's API, for a gateway on the way: `Name: text`, or "
        "`Name: {env: VARIABLE}` for a secret.",
    )

    @field_validator("start")
    @classmethod
    def _on_the_grid(cls, start: datetime, info: ValidationInfo) -> datetime:
        if "every" in info.data:
            WindowGrid(start, info.data["every"], _HOUR)
        return start

    @field_validator("segment")
    @classmethod
    def _has_a_meaning(cls, segment: str, info: ValidationInfo) -> str:
        if info.data.get("source") == "legacy_export" and segment != _ALL_USERS:
            raise ValueError("has no meaning with `source: legacy_export`, whose files are of all users; remove it")
        return segment

    @field_validator("lag")
    @classmethod
    def _long_enough(cls, lag: timedelta) -> timedelta:
        if lag < _HOUR:
            raise ValueError(f"{format_duration(lag)} is too short; at least 1h")
        return lag

    @field_validator("settle")
    @classmethod
    def _after_lag(cls, settle: timedelta | None, info: ValidationInfo) -> timedelta | None:
        lag = info.data.get("lag")
        if settle is not None and lag is not None and settle <= lag:
            raise ValueError(f"{format_duration(settle)} must be longer than lag ({format_duration(lag)})")
        return settle

    @field_validator("headers")
    @classmethod
    def _headers_differ(cls, headers: Mapping[str, Header]) -> Mapping[str, Header]:
        if len({name.lower() for name in headers}) < len(headers):
            raise ValueError("a header is given twice; case does not count in their names")
        return headers

    @property
    def identifier(self) -> str:
        """Its name as Dagster takes names: letters, digits and `_`; still unlike that of any other organization."""
        return self.name.replace("-", "_")

    @property
    def grid(self) -> WindowGrid:
        """Its windows."""
        return WindowGrid(self.start, self.every, self.lag)

    @property
    def uses_sandbox(self) -> bool:
        """Whether its API is the built-in fake FullStory in this process."""
        return self.api_url == SANDBOX

    def api_key(self, environ: Mapping[str, str]) -> str:
        """Return the API key, read now; the sandbox's is made from the name and stands nowhere.

        Raises:
            MissingSecret: The variable is not set, or holds something that cannot be a key; the same of its line in the
                keys file.
        """
        if self.uses_sandbox:
            return f"{SANDBOX}.{self.name}"
        if self.keys_file:
            return read_key(self.keys_file, self.name)
        key = read_secret(environ, self.api_key_env, of=self.name)
        if not is_api_key(key):
            raise MissingSecret(
                f"{self.name}: environment variable {self.api_key_env} holds characters that no key has.",
                remedy="Set it to the key alone, without `Basic`, quotes, blanks or a line break.",
            )
        return key

    def http_headers(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return `headers` with the values of secret ones filled in.

        Raises:
            MissingSecret: A variable is not set, or its text cannot be sent as a header.
        """
        return {name: self._header(environ, header) for name, header in self.headers.items()}

    def _header(self, environ: Mapping[str, str], header: str | SecretHeader) -> str:
        if isinstance(header, str):
            return header
        value = read_secret(environ, header.env, of=self.name)
        if not is_header_text(value):
            raise MissingSecret(
                f"{self.name}: environment variable {header.env} cannot be sent as an HTTP header.",
                remedy="Set it to one line of ASCII text without blanks around it.",
            )
        return value
