"""local-bigquery 0.3.2, mended; runs in the environment that `make test-servers` makes, with Python 3.13.

Mended is what it does otherwise than BigQuery, where that matters to us.
"""

import functools
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from local_bigquery import errors  # pyright: ignore[reportMissingImports] - of the emulator's environment
from local_bigquery.catalog import tables  # pyright: ignore[reportMissingImports]
from local_bigquery.cli import main  # pyright: ignore[reportMissingImports]
from local_bigquery.engine import database  # pyright: ignore[reportMissingImports]
from local_bigquery.jobs import storage  # pyright: ignore[reportMissingImports]

_CONFLICTS = ("Failed to commit DuckLake transaction", "Transaction conflict", "write-write conflict")
_Result = TypeVar("_Result")


def change_tables_in_turn() -> None:
    """Let a table be made or changed as a whole: others find it there, or find that its ETag is another.

    local-bigquery looks first and then changes column by column, while others do the same.
    """
    turn = threading.RLock()

    def in_turn(change: Callable[..., _Result]) -> Callable[..., _Result]:
        @functools.wraps(change)
        def waiting(*arguments: object) -> _Result:
            with turn:
                return change(*arguments)

        return waiting

    for name in ("create", "update", "delete"):
        setattr(tables, name, in_turn(getattr(tables, name)))


def tell_conflicts() -> None:
    """Let a transaction that meets another one end with BigQuery's words instead of those of DuckLake.

    https://cloud.google.com/bigquery/docs/transactions#transaction_concurrency; its words as users report them, such as
    https://github.com/dlt-hub/dlt/issues/2892.
    """
    from_duckdb = errors.from_duckdb

    def told(error: Exception, *where: object) -> Exception:
        text = str(error)
        if any(words in text for words in _CONFLICTS):
            return errors.BigQueryError("invalidQuery", "Transaction is aborted due to concurrent update against table")
        return from_duckdb(error, *where)

    for module in [*sys.modules.values()]:
        if getattr(module, "from_duckdb", None) is from_duckdb:
            setattr(module, "from_duckdb", told)  # noqa: B010 - the type checker knows no such module


def read_external_tables() -> None:
    """Let a table of Parquet files elsewhere be read from there; local-bigquery makes an empty table of it.

    The files are looked at when it is made. One that has other columns when it is read is refused, where BigQuery may
    find nothing in a column.
    """
    create = tables.create

    def created(project: str, dataset: str, table: Any, translate: Callable[..., str]) -> object:
        external = table.externalDataConfiguration
        if external is None:
            return create(project, dataset, table, translate)
        uris = external.sourceUris
        with database.cursor() as cursor:
            files = ", ".join(storage.literal(path) for uri in uris for path in storage.paths(cursor, uri))
        reading = f"SELECT * FROM read_parquet([{files}], hive_partitioning = false)"
        try:
            return create(project, dataset, table.replace(view={"query": reading}), lambda *_: reading)
        except Exception as error:
            if "HTTP 404" not in str(error):
                raise
            raise errors.not_found("Uris", " ".join(uris)) from error

    tables.create = created


if __name__ == "__main__":
    read_external_tables()
    change_tables_in_turn()
    tell_conflicts()
    sys.exit(main())
