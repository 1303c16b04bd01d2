"""What Redshift says when it refuses, in our words: whose move it is, and what to do.

Serves `redshift.py`. Redshift grew from PostgreSQL 8.0 and shares its SQLSTATEs, but what is its own has `XX000`, the
code of any internal error: there the kind goes by the words. A failed COPY says why in a table of the system, which a
rollback does not undo.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fullstory_assets.errors import WarehouseError, WarehouseLocked, WarehouseUnreachable
from fullstory_assets.warehouses.postgres_errors import ANY_REMEDY, is_lost, not_let_in, words_of

if TYPE_CHECKING:
    from psycopg2 import Error
    from psycopg2.extensions import cursor

_LOCKED_CODES = ("40001", "40P01", "57014")  # not serializable, deadlock, stopped because it took too long
_LOCKED_WORDS = re.compile(r"serializable isolation violation|\b1023\b|could not serialize|deadlock", re.IGNORECASE)
_DATA_CODES = ("22", "23")  # whose texts quote the value
_QUOTED = re.compile(r"\".*\"|'.*'")

_ROLE = (
    "Attach the role to the cluster or workgroup, and name it in `iam_role` of the section `warehouse`; "
    "docs/redshift.md shows its policy."
)
_BUCKET = (
    "Give the cluster's IAM role s3:GetObject and s3:ListBucket on the storage's bucket; docs/redshift.md shows how."
)
_REMEDIES_BY_WORDS = {
    "assume IAM Role": _ROLE,
    "assume role": _ROLE,
    "default IAM role": _ROLE,
    "IAM role is not": _ROLE,
    "Access Denied": _BUCKET,
    "specified endpoint": "Set `region` in the section `storage` to the bucket's.",
    "PermanentRedirect": "Set `region` in the section `storage` to the bucket's.",
    "Disk Full": "Nothing was changed. Make room on the cluster, then run it again.",
    "read-only": "The cluster takes no writes now, as while it is resized. Run it again later.",
}
_REMEDIES_BY_CODE = {
    "28": "Check user and password of the warehouse, and that the cluster lets them in from here.",
    "3D000": "Make the database, or correct its name.",
    "3F000": "Make the schema, or correct its name.",
    "42501": "Grant the user CREATE and USAGE on the schema, and make it the owner of the tables.",
    "42P01": "Run it again: the table is made by the load.",
    "53100": "Nothing was changed. Make room on the cluster, then run it again.",
}

_LOAD_ERRORS = """
SELECT trim(column_name), trim(column_type), column_length, line_number, error_code, trim(error_message)
FROM sys_load_error_detail WHERE file_name LIKE %s ORDER BY start_time LIMIT 1
"""


def refusal(name: str, error: Error) -> WarehouseError:
    """Return Redshift's error as one of ours, without a value of a row.

    Args:
        name: What messages call the database.
        error: What psycopg2 raised.
    """
    code = error.pgcode or ""
    words = _words(error)
    if code.startswith(_DATA_CODES):
        words = without_values(words)
    if code in _LOCKED_CODES or _LOCKED_WORDS.search(words):
        return WarehouseLocked(f"Redshift at {name} was busy: {words}.", remedy="Nothing was changed. Run it again.")
    if is_lost(error):
        return WarehouseUnreachable(f"Redshift at {name} did not answer: {words}.", remedy=not_let_in(words))
    remedies = [remedy for part, remedy in _REMEDIES_BY_WORDS.items() if part.lower() in words.lower()]
    remedies += [remedy for begin, remedy in _REMEDIES_BY_CODE.items() if code.startswith(begin)]
    return WarehouseError(
        f"Redshift at {name} refused: {words} ({code or type(error).__name__}).", remedy=[*remedies, ANY_REMEDY][0]
    )


def has_load_errors(error: WarehouseError) -> bool:
    """Return whether Redshift keeps the reason elsewhere: it then names the table of load errors."""
    return re.search(r"(stl|sys)_load_error", str(error)) is not None


def load_error(cursor: cursor, folder: str) -> str:
    """Return why COPY refused a file whose key holds `folder`: column, type, line and reason, none of the row's values.

    An empty text when Redshift has not written it yet. It keeps them for a week, and lets each user see their own
    (https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html).
    """
    cursor.execute(_LOAD_ERRORS, [f"%{folder}%"])
    found = cursor.fetchone()
    if not found:
        return ""
    column, column_type, length, line, code, reason = found
    length = f"({str(length).strip()})" if str(length).strip() not in ("", "0", "None") else ""
    return f"Column {column}, {column_type}{length}, line {line}: {without_values(reason).rstrip('.')} ({code})."


def without_values(words: str) -> str:
    """Return the words without what stands in quotes."""
    return _QUOTED.sub("(a value)", words)


def _words(error: Error) -> str:
    words = words_of(error)
    # The words are the number alone; what it means stands below.
    if re.fullmatch(r"\d{3,5}", words) and error.diag.message_detail:
        return f"{words}, {error.diag.message_detail.strip().splitlines()[0].rstrip('.')}"
    return words
