"""The settings: which organizations to export, where files are stored, and which warehouse is loaded.

`file` reads them from `fullstory.yaml`; `build` makes Dagster definitions from them. The descriptions of the fields are
the documentation users read (`docs.settings_table`). A settings object never holds a secret, only the names of the
environment variables that do, or the path of the keys file, which is opened when a key is asked for. Nothing else here
opens files, and nothing reads the process's environment or asks the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

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

from fullstory_assets.config.dbt import DbtSettings
from fullstory_assets.config.defaults import OWN, details_of, fill_in, name_clashes, table_for
from fullstory_assets.config.models import ModelSettings
from fullstory_assets.config.organization import Organization
from fullstory_assets.config.storages import LocalStorageSettings, StorageSettings
from fullstory_assets.config.values import (
    LocalPath,
    Origin,
    Section,
)
from fullstory_assets.config.warehouses import DuckDBSettings, NoWarehouseSettings, WarehouseSettings

_ANY_MIDNIGHT = datetime(2026, 1, 1, tzinfo=timezone.utc)

NO_SOURCE = "the sandbox"
"""What messages call the settings that stand in for a configuration."""


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
    dbt: DbtSettings | None = Field(
        default=None, description="A dbt project of yours, shown and run downstream of what is loaded. Unset: none."
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
            if any(each.name.lower() == "models" for each in info.data.get("organizations", ())):
                raise ValueError("an organization is called `models`, as Dagster calls these; give it another name")
        return models

    @field_validator("dbt")
    @classmethod
    def _has_tables(cls, dbt: DbtSettings | None, info: ValidationInfo) -> DbtSettings | None:
        if dbt and isinstance(info.data.get("warehouse"), NoWarehouseSettings):
            raise ValueError("has nothing to read with `warehouse: none`; leave `dbt` out")
        return dbt

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
