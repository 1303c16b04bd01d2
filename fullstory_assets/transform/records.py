"""One record, read exactly: typed values for the columns they fit, `CustomVars` for the rest, the event's identity.

Serves `batches.py`, which gets nearly all records from `ordinary.py` and leaves to this module every other one.
Nothing is guessed and nothing is lost: either a value fits its column exactly (`values.py` says when), or the column is
NULL and `CustomVars` keeps the value under its own name, byte for byte (`exact_json.json_object` names the one
exception). Only what is not a JSON object is refused as a whole. `null` is the same as no value. Nothing about files,
windows or Arrow belongs here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fullstory_assets.schema import CUSTOM_VARS, Column, TableSchema
from fullstory_assets.transform.event_ids import event_digest
from fullstory_assets.transform.exact_json import JsonObject, json_object, parse_object
from fullstory_assets.transform.values import fit

OUR_COLUMNS = (CUSTOM_VARS, "OrgId", "EventId", "ExportedAt")
"""Columns that no field of a record fills; a field of such a name goes to `CustomVars`."""


class Row(NamedTuple):
    """One record as a row.

    Args:
        values: A value for each column of the schema, in order; times in microseconds since 1970 UTC. `OrgId`,
            `EventId` and `ExportedAt` are left None for the caller.
        digest: The record's `event_digest`.
        misfits: Columns whose value did not fit.
        unknown: Names in the record that no column has.
    """

    values: list[Any]
    digest: bytes
    misfits: list[str]
    unknown: list[str]


class RecordReader:
    """Reads records into the columns of one schema.

    Names are matched as `TableSchema.find` does. When a record gives several values under spellings of one column's
    name, the present exact name fills the column; else an older name, in the order they are declared; else the first
    other spelling in the order of text. The others go to `CustomVars`. Of two equal names the last counts.
    """

    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self._places = {column.name: place for place, column in enumerate(schema)}

    def read(self, data: bytes) -> Row:
        """Return the record as a row.

        Raises:
            NotAnObject: As `exact_json.parse_object` says.
        """
        record = parse_object(data)
        row = Row([None] * len(self._places), event_digest(record.fields), [], [])
        fillers = self._fillers(record.fields)
        kept = [(name, record.token(name)) for name in record.fields if not self._placed(row, record, name, fillers)]
        row.values[self._places[CUSTOM_VARS]] = json_object(kept) if kept else None
        return row

    def _placed(self, row: Row, record: JsonObject, name: str, fillers: dict[str, str]) -> bool:
        """Put a field's value into its column; False when `CustomVars` has to keep it."""
        value = record.fields[name]
        column = self.column(name)
        if column is None:
            row.unknown.append(name)
            return False
        if value is None:
            return True
        if name != fillers[column.name]:
            return False
        fitted = fit(column.type, value, record.token(name))
        row.values[self._places[column.name]] = fitted
        if fitted is None:
            row.misfits.append(column.name)
        return fitted is not None

    def column(self, name: str) -> Column | None:
        """Return the column that a field of this name is for, if any."""
        column = self._schema.find(name)
        return None if column is None or column.name in OUR_COLUMNS else column

    def _fillers(self, fields: dict[str, Any]) -> dict[str, str]:
        """Return, by column, the name whose value fills it, of all in the record that mean it."""
        ranks: dict[str, tuple[int, str]] = {}
        for name, value in fields.items():
            column = None if value is None else self.column(name)
            if column:
                rank = _rank(column, name)
                ranks[column.name] = min(ranks.get(column.name, rank), rank)
        return {column: name for column, (_, name) in ranks.items()}


def _rank(column: Column, name: str) -> tuple[int, str]:
    spellings = (column.name, *column.aliases)
    return spellings.index(name) if name in spellings else len(spellings), name
