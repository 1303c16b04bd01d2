"""The settings: which organizations to export, where files are stored, and which warehouse is loaded.

`file` reads them from `fullstory.yaml`; `build` makes Dagster definitions from them. The descriptions of the fields are
the documentation users read (`docs.settings_table`). A settings object never holds a secret, only the names of the
environment variables that do, or the path of the keys file, which is opened when a key is asked for. Nothing else here
opens files, and nothing reads the process's environment or asks the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from fullstory_assets.config.addresses import FullStoryOrg
from fullstory_assets.config.keys_file import read_key
from fullstory_assets.config.models import ModelSettings
from fullstory_assets.config.organizations import OWN, details_of, fill_in, name_clashes, table_for
from fullstory_assets.config.secrets import read_secret
from fullstory_assets.config.storages import LocalStorageSettings, StorageSettings
from fullstory_assets.config.values import (
    SANDBOX,
    ApiUrl,
    Duration,
    ExportCount,
    FilledIn,
    Header,
    HeaderName,
    LocalPath,
    OrganizationName,
    Origin,
    SecretHeader,
    Section,
    SegmentId,
    SqlName,
    UtcTime,
    VariableName,
    WindowLength,
    format_duration,
    is_api_key,
    is_header_text,
)
from fullstory_assets.config.warehouses import DuckDBSettings, NoWarehouseSettings, WarehouseSettings
from fullstory_assets.errors import MissingSecret
from fullstory_assets.windows import EVERY, WindowGrid

_HOUR = timedelta(hours=1)
_ANY_MIDNIGHT = datetime(2026, 1, 1, tzinfo=timezone.utc)

NO_SOURCE = "the sandbox"
"""What messages call the settings that stand in for a configuration."""


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
        description="Address of the API; https, or http on this machine. Unset: the one of the key's data centre. "
        f"`{SANDBOX}` is the built-in fake FullStory.",
    )
    segment: SegmentId = Field(
        default="everyone",
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


class Settings(Section):
    """Everything in `fullstory.yaml`."""

    defaults: Mapping[str, Any] = Field(
        default_factory=dict,
        description="Settings for every organization that does not set them itself: any but `name` and `api_key_env`. "
        "`{name}` in `table` is the organization's name, with `_` for `-`.",
    )
    keys_file: LocalPath | None = Field(
        default=None,
        description="File with a line `name,key` for each organization, and their API keys. Each line is an "
        "organization, also without an entry in `organizations`, which may then be left out. A relative path starts at "
        "the configuration file's folder.",
    )
    organizations: tuple[Organization, ...] = Field(description="The FullStory organizations to export; at least one.")
    storage: StorageSettings = Field(
        default={"kind": "local"}, validate_default=True, description="Where landed and staged files are kept."
    )
    warehouse: WarehouseSettings = Field(
        default={"kind": "duckdb"}, validate_default=True, description="Which database is loaded."
    )
    models: ModelSettings | None = Field(
        default=None, description="Sessions, pages, users and devices, made from the events: `models: {}`. Unset: none."
    )
    _source: str = PrivateAttr("the configuration")

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, values: object) -> object:
        return fill_in(values)

    @field_validator("defaults")
    @classmethod
    def _fit_any_organization(cls, defaults: Mapping[str, Any]) -> Mapping[str, Any]:
        own = PydanticCustomError("own", "is each organization's own; set it there")
        problems = [InitErrorDetails(type=own, loc=(key,), input="") for key in OWN if key in defaults]
        common = {key: value for key, value in defaults.items() if key not in OWN}
        if isinstance(table := common.get("table"), str):
            common["table"] = table_for(table, "x")
        try:
            Organization.model_validate({"start": _ANY_MIDNIGHT, **common, "name": "x"})
        except ValidationError as error:
            problems += details_of(error)
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return defaults

    @field_validator("organizations", mode="wrap")
    @classmethod
    def _names_differ(cls, value: object, handler: ValidatorFunctionWrapHandler) -> tuple[Organization, ...]:
        # Around the checks of each organization, not after them, so that neither hides what the other finds.
        clashes = name_clashes(value) if isinstance(value, (list, tuple)) else []
        try:
            organizations = handler(value)
        except ValidationError as error:
            raise ValidationError.from_exception_data(cls.__name__, [*details_of(error), *clashes]) from None
        if clashes:
            raise ValidationError.from_exception_data(cls.__name__, clashes)
        if not organizations:
            raise ValueError("at least one organization is needed")
        return organizations

    @field_validator("warehouse", mode="before")
    @classmethod
    def _none(cls, warehouse: object) -> object:
        return {"kind": warehouse} if warehouse == "none" else warehouse

    @field_validator("warehouse")
    @classmethod
    def _fits_the_storage(cls, warehouse: WarehouseSettings, info: ValidationInfo) -> WarehouseSettings:
        storage = info.data.get("storage")
        if storage and warehouse.reads_from not in (None, storage.kind):
            raise ValueError(f"{warehouse.kind} loads files from {warehouse.reads_from}; set `kind` of storage to that")
        if storage and storage.keep == "none" and isinstance(warehouse, NoWarehouseSettings):
            raise ValueError("without a warehouse, and with `keep: none` of storage, nothing would be left")
        folder = storage.path if isinstance(storage, LocalStorageSettings) else None
        if folder and isinstance(warehouse, DuckDBSettings) and warehouse.path in (folder, *folder.parents):
            raise ValueError(f"{warehouse.path} cannot be the database file and a folder for storage")
        return warehouse

    @field_validator("models")
    @classmethod
    def _can_be_made(cls, models: ModelSettings | None, info: ValidationInfo) -> ModelSettings | None:
        warehouse = info.data.get("warehouse")
        if models and warehouse:
            models.require_room(warehouse.kind, warehouse.events_schema)
        return models

    @model_validator(mode="after")
    def _one_adopts(self) -> Settings:
        adopting: dict[str, str] = {}
        for each in self.organizations:
            table = self.table_of(each).lower()
            if each.adopt_rows and adopting.setdefault(table, each.name) != each.name:
                raise ValueError(f"both {adopting[table]} and {each.name} have `adopt_rows` of table {table}; one may")
        return self

    @property
    def source(self) -> str:
        """Where the settings come from, as messages call it: the file's path, or `the sandbox`."""
        return self._source

    @property
    def configured(self) -> bool:
        """Whether there is a configuration, and not only the sandbox that stands in for one."""
        return self._source != NO_SOURCE

    def table_of(self, organization: Organization) -> str:
        """Return the name of the table that `organization` is loaded into; empty when nothing is loaded."""
        return organization.table or self.warehouse.table

    def model_post_init(self, context: Any, /) -> None:
        """Take the source from the validation context."""
        if isinstance(context, Origin):
            self._source = context.source
