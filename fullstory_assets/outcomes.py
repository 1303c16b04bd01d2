"""What can become of a window: the words in which `sync` reports and the Dagster layer records.

Kept apart from the work itself because Dagster reads these when it loads the definitions, and the work brings an HTTP
client and Arrow with it. Only small immutable records belong here, and the constants both sides need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fullstory_assets.errors import ConfigError, Forbidden, MissingSecret, NotFound, Unauthorized
from fullstory_assets.windows import ExportWindow

if TYPE_CHECKING:
    from fullstory_assets.export import Landed
    from fullstory_assets.transform import StagedFile

Step = Literal["raw_events", "staged_events", "events"]
"""The three steps that can run alone, by the asset each one makes."""

STEPS: tuple[Step, ...] = ("raw_events", "staged_events", "events")
"""The steps in the order in which they run."""

HEARTBEAT_SECONDS = 60.0
"""How often the caller hears that windows are still under way, whether exports are waited for or a load goes on."""

_ORGANIZATION_WIDE = (ConfigError, MissingSecret, Unauthorized, Forbidden, NotFound)


@dataclass(frozen=True)
class Loaded:
    """What a load did for one window: rows now in the table, columns appended to it, seconds of its transaction."""

    table: str
    rows: int
    added_columns: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class WindowDone:
    """A window for which every chosen step has succeeded; each field is set when its step was chosen.

    `csv` says that its staged rows were kept as CSV too.
    """

    window: ExportWindow
    landed: Landed | None = None
    staged: StagedFile | None = None
    loaded: Loaded | None = None
    stage_seconds: float = 0.0
    csv: bool = False


@dataclass(frozen=True)
class WindowFailed:
    """A window that stopped at `doing` with `error`; what was loaded before is untouched."""

    window: ExportWindow
    doing: str
    error: Exception

    @property
    def organization_wide(self) -> bool:
        """Whether no other window of the organization can succeed either."""
        return isinstance(self.error, _ORGANIZATION_WIDE)


@dataclass(frozen=True)
class LoadDone:
    """One load transaction is over, and its windows were handed out: how many, their rows, and the seconds it took."""

    windows: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class StillWaiting:
    """Nothing was handed out for `HEARTBEAT_SECONDS`.

    Args:
        window: The oldest window under way.
        prepared: Windows that are exported and staged, and wait for their load.
    """

    window: ExportWindow
    prepared: int


@dataclass(frozen=True)
class ModelsUpdated:
    """Models are up to date with all that was loaded: windows that were new to them, and seconds."""

    windows: int
    seconds: float


@dataclass(frozen=True)
class ModelsBehind:
    """Windows were loaded, but models could not be brought up to date with them; the next load makes up for it."""

    error: Exception


Outcome = WindowDone | WindowFailed | LoadDone | ModelsUpdated | ModelsBehind | StillWaiting
