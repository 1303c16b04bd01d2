"""Everything that can go wrong, sorted by who has to move.

    FullStoryAssetsError
    ├── ConfigError              fix fullstory.yaml
    ├── MissingSecret            set an environment variable, or mend the keys file
    ├── MissingPackage           install an extra
    ├── ApiError                 FullStory answered with an error
    │   ├── Unauthorized         401: another key
    │   ├── Forbidden            403: a stronger key
    │   ├── NotFound             404: a wrong segment, or something that is gone
    │   ├── BadRequest           any other 4xx: the request itself
    │   ├── RateLimited          429: wait as long as it says        retryable
    │   └── ServerError          5xx: wait                           retryable
    ├── ConnectionFailed         no or a broken answer               retryable
    ├── ExportError              an export that did not come to its end
    │   ├── ExportFailed         FullStory gave up, and says why     retryable
    │   ├── ExportTimeout        not finished within the deadline    retryable
    │   ├── FilesNotReady        ready-made files are yet to come    retryable
    │   ├── FilesMisfit          ready-made files and windows differ
    │   └── ExportCancelled      this run was told to stop
    ├── LandedFileError          the landed file cannot be read      retryable (a new export replaces it)
    ├── SyncPointError           what hauser left cannot be relied on
    ├── StorageError             the storage refused                 retryable
    └── WarehouseError           the warehouse refused
        ├── WarehouseLocked      somebody else is writing            retryable
        ├── WarehouseUnreachable no connection, or it broke          retryable
        ├── RowsMismatch         loaded rows differ from staged ones retryable
        └── SchemaConflict       a column has another type

Every error carries the other side's words in its text and the next step in `remedy`. Neither ever holds a key, a signed
link or a row of data. The organization and the hour are added by the caller that knows them (`describe`).
Nothing else belongs in this module.
"""

from __future__ import annotations

from typing import ClassVar, Literal


class FullStoryAssetsError(Exception):
    """Base of all errors raised by this package.

    Args:
        message: What failed and the other side's words, one sentence each, without a secret.
        remedy: What to do now.
    """

    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later without anybody changing anything."""

    remedy: str = ""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy or type(self).remedy

    def __str__(self) -> str:
        return " ".join(part for part in (super().__str__(), self.remedy) if part)


class ConfigError(FullStoryAssetsError):
    """The configuration is wrong; the text lists every problem found, one a line."""


class MissingSecret(FullStoryAssetsError):
    """A key or another secret is not where the configuration says: in an environment variable, or in the keys file."""


class MissingPackage(FullStoryAssetsError):
    """A storage or warehouse needs a package that is not installed."""


class ApiError(FullStoryAssetsError):
    """FullStory answered with an error status.

    Args:
        message: What was asked, the status, and FullStory's words.
        status: The HTTP status.
        retry_after: Seconds FullStory asks to wait, when it does.
        remedy: What to do now.
    """

    def __init__(self, message: str, *, status: int, retry_after: float | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.retry_after = retry_after


class Unauthorized(ApiError):
    """401: the key is wrong, revoked, or of another data centre."""

    remedy = "Check the API key, and that `api_url` is the one of the key's data centre."


class Forbidden(ApiError):
    """403: the key is valid but may not do this."""

    remedy = "Exports need a key of level Architect or Admin, and an account with the export add-on."


class NotFound(ApiError):
    """404: the segment does not exist, or the operation or export is gone."""

    remedy = "Check `segment` in the configuration: its id stands at the end of the segment's address in FullStory."


class BadRequest(ApiError):
    """Any other 4xx: FullStory does not accept the request as it is."""

    remedy = "Check the organization's settings; the same request will be refused again."


class RateLimited(ApiError):
    """429: too many requests; `retry_after` says how long to wait."""

    retryable = True
    remedy = "It is tried again by itself; if this goes on, ask FullStory to raise the limit of your account."


class ServerError(ApiError):
    """5xx: FullStory's side is in trouble."""

    retryable = True
    remedy = "It is tried again by itself; see FullStory's status page if this goes on."


class ConnectionFailed(FullStoryAssetsError):
    """No answer, a broken one, or none in time."""

    retryable = True
    remedy = "It is tried again by itself; check network, proxy and `api_url` if this goes on."


class ExportError(FullStoryAssetsError):
    """An export that did not come to its end."""


class ExportFailed(ExportError):
    """FullStory ended the export as FAILED; the text holds its reason."""

    retryable = True
    remedy = "A new export is made on the next try; if it fails again, ask FullStory support with this text."


class ExportTimeout(ExportError):
    """The export was not finished within the deadline; the next run goes on waiting for the same one."""

    retryable = True
    remedy = "Run it again: it goes on waiting for the same export."


class FilesNotReady(ExportError):
    """The legacy API has not made all the files of the window yet."""

    retryable = True
    remedy = "It is tried again by itself; if this goes on, set a longer `lag`."


class FilesMisfit(ExportError):
    """The legacy API's files overlap, or are longer than the window."""


class ExportCancelled(ExportError):
    """The run was told to stop while the export was under way, and the export was cancelled."""

    remedy = "Run it again when you want these events."


class LandedFileError(FullStoryAssetsError):
    """The landed file cannot be read as a whole.

    Args:
        message: What is wrong with it.
        offset: Position of the first byte, counted after inflating, that could not be read.
    """

    retryable = True
    remedy = (
        "The next try makes a new export, which replaces the file; to try now, materialize the window's three assets. "
        "Loaded rows stay as they are."
    )

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(f"{message} (at byte {offset:,} of the inflated file).")
        self.offset = offset


class SyncPointError(FullStoryAssetsError):
    """hauser's sync point cannot be read, or is none that hauser would write."""


class StorageError(FullStoryAssetsError):
    """The storage could not read or write an object."""

    retryable = True
    remedy = "Check that the storage is reachable, writable and has room, then run it again."


class StorageRefused(StorageError):
    """The storage refused for good: rights, credentials or a name have to be set right first."""

    retryable = False


class ObjectMissing(StorageError):
    """There is no such object."""

    retryable = False
    remedy = "Run the step that writes it, then this one."


class WarehouseError(FullStoryAssetsError):
    """The warehouse refused a statement."""


class WarehouseLocked(WarehouseError):
    """Another process is writing."""

    retryable = True
    remedy = "Close the other program that has the database open, even if only to read, then run it again."


class WarehouseUnreachable(WarehouseError):
    """There is no connection to the warehouse, or it broke; whatever was not committed is undone."""

    retryable = True
    remedy = "Check that the warehouse is up and can be reached from here, then run it again."


class RowsMismatch(WarehouseError):
    """The warehouse holds another number of rows than were staged; the load was rolled back."""

    retryable = True
    remedy = "Nothing was changed. Run it again; if it happens again, please report it."


class SchemaConflict(WarehouseError):
    """A column exists with a type that cannot take the data."""

    remedy = "Rename or convert the column, or give this organization its own `table`."


ErrorKind = Literal["retryable", "schema conflict", "terminal"]
"""What to think of an error: it may go by itself, a column has to change, or something else has to."""


def kind_of(error: BaseException) -> ErrorKind:
    """Return what to think of an error; one that nobody foresaw is terminal."""
    if isinstance(error, SchemaConflict):
        return "schema conflict"
    return "retryable" if isinstance(error, FullStoryAssetsError) and error.retryable else "terminal"


def describe(error: BaseException, *, org: str, window: object, doing: str) -> str:
    """Return `error` as users read it: the organization, the window, what failed, why, and the next step."""
    words = str(error)
    if not isinstance(error, FullStoryAssetsError):
        words = f"{type(error).__name__}: {error}. This was not foreseen; please report it with the run's log."
    return f"{org} {window}: {doing} failed. {words}"
