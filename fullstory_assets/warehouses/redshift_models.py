"""Models in Redshift: as in PostgreSQL, but updates take turns at a table of their own, as loads do (`redshift.py`)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fullstory_assets.warehouses.postgres_models import ModelsInPostgres

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_LOCK = "model_lock"


class ModelsInRedshift(ModelsInPostgres):
    """What models need of Redshift, as `SqlWarehouse` says it."""

    @property
    def kind(self) -> str:
        """`redshift`."""
        return "redshift"

    def qualified(self, schema: str, *table: str) -> str:
        """Return how a statement calls a table of a schema, or the schema."""
        return self.dialect.quoted(schema.lower(), *(name.lower() for name in table))

    def tables(self, schema: str) -> Mapping[str, Sequence[str]]:
        """Return the columns of each table and view in a schema, in order."""
        return super().tables(schema.lower())

    def _prepare_models(self, schema: str) -> None:
        self._prepare(schema, _LOCK)

    def _take_turn(self, cursor: cursor, schema: str) -> None:
        cursor.execute(f"LOCK TABLE {self.qualified(schema, _LOCK)}")
        # What follows may take longer than the wait for others.
        cursor.execute("RESET statement_timeout")

    @abstractmethod
    def _prepare(self, schema: str, lock: str) -> None: ...
