"""Custom variables that have a column of their own in the models, with the type that their name's ending tells.

A value of another type is NULL in the column, and stays in `custom_vars`, where all of them are.
"""

from __future__ import annotations

from fullstory_assets.models.dialects import ModelDialect
from fullstory_assets.schema import CUSTOM_TYPES, Column, ColumnType, custom_column

# Of 18 digits, as none of these is beyond 64 bits; of 255, as PostgreSQL's expressions repeat nothing more often.
_WHOLE = "^(-?[0-9]{1,18})$"
_PLAIN = "^(-?[0-9]{1,255}[.]?[0-9]{0,255})$"
_SCIENTIFIC = "^(-?[0-9]{1,17}[.]?[0-9]{0,17}[eE][-+]?[0-9]{1,2})$"


def type_of(name: str) -> ColumnType:
    """Return the type of a custom variable's column, by the end of its name."""
    return CUSTOM_TYPES[name[name.rindex("_") :]]


def column_of(name: str) -> Column:
    """Return the column of a custom variable: its name in small letters, with `_` for `.`, `-` and spaces."""
    kind = type_of(name)
    words = {"int64": "a whole number", "float64": "a number"}.get(kind, "text")
    return Column(
        custom_column(name), kind, f"Custom variable `{name}`, {words}; in sessions its last value.", personal=True
    )


def value_of(name: str, custom_vars: str, dialect: ModelDialect, type_name: str, *, is_text: bool) -> str:
    """Return the SQL of a custom variable's value.

    Args:
        name: Its name, as exported.
        custom_vars: The SQL of all of them.
        dialect: The engine's.
        type_name: The engine's name of the column's type.
        is_text: Whether all of them are text, and not the engine's JSON.
    """
    text = (dialect.custom_of_text if is_text else dialect.custom).format(value=custom_vars, name=name)
    text = f"nullif({text}, '')"
    kind = type_of(name)
    if kind == "int64":
        return f"cast({_found(dialect, text, _WHOLE)} as {type_name})"
    if kind == "float64":
        return f"cast(coalesce({_found(dialect, text, _PLAIN)}, {_found(dialect, text, _SCIENTIFIC)}) as {type_name})"
    return f"cast({text} as {type_name})"


def _found(dialect: ModelDialect, text: str, pattern: str) -> str:
    return f"nullif({dialect.part.format(value=text, pattern=pattern)}, '')"
