"""One execution of an organization's sync step: the windows of a run, each recorded as soon as it is safe.

The work itself is `sync.Sync`; this module turns its outcomes into what Dagster keeps: materializations, check results,
log lines, and at the end one failure that names every window that did not make it.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import Any, cast

import dagster as dg

from fullstory_assets.assets.metadata import window_metadata
from fullstory_assets.assets.model_keys import last_told, model_key
from fullstory_assets.assets.partitions import windows_of
from fullstory_assets.assets.top_pages import pictures_by_model
from fullstory_assets.checks import Evaluation, evaluate
from fullstory_assets.config import Organization
from fullstory_assets.config.storages import Keep
from fullstory_assets.errors import Forbidden, FullStoryAssetsError, Unauthorized, describe, kind_of
from fullstory_assets.models.base import ModelPlan, SqlWarehouse
from fullstory_assets.models.update import Models
from fullstory_assets.outcomes import (
    LoadDone,
    ModelsBehind,
    ModelsUpdated,
    Outcome,
    Step,
    StillWaiting,
    WindowDone,
    WindowFailed,
)
from fullstory_assets.resources import STORAGE, WAREHOUSE, Connector, fullstory_key
from fullstory_assets.retention import Retention
from fullstory_assets.storage.base import Storage
from fullstory_assets.sync import Sync
from fullstory_assets.warehouses.base import Warehouse
from fullstory_assets.windows import ExportWindow

_FAILURES_SHOWN = 5


class SyncStep:
    """The step's run over the windows that Dagster asked for.

    Args:
        context: Dagster's context of this execution.
        organization: Whose windows.
        keys: Asset key of each step, in the order of the steps.
        table: Name of the events table.
        keep: How long landed and staged files are kept.
        csv: Whether staged rows are kept as CSV too.
        plan: Which models are made from the events, if any.
    """

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        organization: Organization,
        *,
        keys: dict[Step, dg.AssetKey],
        table: str,
        keep: Keep,
        csv: bool,
        plan: ModelPlan | None,
    ) -> None:
        self._context = context
        self._organization = organization
        self._keys = keys
        self._table = table
        self._csv = csv
        self._plan = plan
        self._behind: Exception | None = None
        self._connector: Connector = getattr(context.resources, fullstory_key(organization))
        self._storage: Storage = getattr(context.resources, STORAGE)
        self._warehouse: Warehouse | None = getattr(context.resources, WAREHOUSE) if "events" in keys else None
        self._steps: list[Step] = [step for step, key in keys.items() if key in context.selected_asset_keys]
        self._retention = Retention(organization.name, self._storage, keep)
        self._windows = windows_of(context, organization.grid)
        self._began = time.monotonic()
        self._passed: dict[str, bool] = {}
        self._failed: list[WindowFailed] = []
        self._done = 0
        self._rows = 0

    def run(self) -> Iterator[Any]:
        """Yield Dagster's events for each window.

        Raises:
            Failure: A window failed; raised at the end, when all others are done.
        """
        if {*self._steps} == {"raw_events", "events"}:
            raise dg.Failure("Select staged_events too: events are loaded from there.", allow_retries=False)
        for outcome in self._outcomes():
            if isinstance(outcome, WindowDone):
                self._done += 1
                self._rows += _rows(outcome)
                yield from self._record(outcome)
                if outcome.loaded:
                    self._retention.loaded(outcome.window)
            if isinstance(outcome, WindowFailed):
                self._failed.append(outcome)
                yield from self._check_results(outcome)
            if isinstance(outcome, (ModelsUpdated, ModelsBehind)):
                self._behind = outcome.error if isinstance(outcome, ModelsBehind) else None
            self._log(outcome)
        yield from self._record_models()
        if self._failed:
            raise self._failure()
        if self._behind:
            raise dg.Failure(self._text_of_models(self._behind), allow_retries=False)
        if self._steps[-1] == [*self._keys][-1]:
            # A run that only lands or stages has made its files for another one to load.
            self._retention.sweep(datetime.now(timezone.utc))

    def _outcomes(self) -> Iterator[Outcome]:
        """Yield the core's outcomes; an error before the first one, such as a missing key, fails the first window."""
        stop = self._connector.stop
        with ExitStack() as stack:
            exporter = None
            try:
                if "raw_events" in self._steps:
                    exporter = stack.enter_context(self._connector.exporter(self._storage))
            except FullStoryAssetsError as error:
                yield WindowFailed(self._windows[0], "export", error)
                return
            yield from Sync(
                self._organization.name,
                steps=self._steps,
                storage=self._storage,
                warehouse=self._warehouse,
                table=self._table,
                exporter=exporter,
                stop=stop,
                adopts=self._organization.adopt_rows,
                csv=self._csv,
                models=self._models(),
                settle=self._organization.settle,
                max_exports=self._organization.max_exports,
            ).run(self._windows)

    def _record(self, done: WindowDone) -> Iterator[Any]:
        """Yield what Dagster keeps of a window.

        A run of one window yields ordinary results, so that assets downstream in the same run go on and blocking
        checks block them. A run of many yields each window's own events: a result at the end would mark *all* windows
        as materialized, and nothing would be kept of a run that dies midway.
        """
        for step in self._steps:
            models = self._plan.schema if self._plan else ""
            metadata = window_metadata(step, done, org=self._organization.name, storage=self._storage, models=models)
            if self._single:
                yield dg.MaterializeResult(self._keys[step], metadata=metadata)
            else:
                yield dg.AssetMaterialization(self._keys[step], metadata=metadata, partition=done.window.partition_key)
        yield from self._check_results(done)

    def _models(self) -> Models | None:
        if not self._plan or not self._warehouse:
            return None
        models = Models(cast("SqlWarehouse", self._warehouse), self._plan)
        if last_told(self._context.instance, self._keys["events"]) != self._plan.schema:
            models.forget(self._organization.name)
        return models

    def _record_models(self) -> Iterator[dg.AssetMaterialization]:
        """Yield that the models are up to date, once for the run: they are not made of windows."""
        if self._plan and "events" in self._steps and self._done and not self._behind:
            common = {"organization": self._organization.name, "windows": self._done}
            shown = pictures_by_model(cast("SqlWarehouse", self._warehouse), self._plan, self._context.log)
            for model in self._plan.models_of(self._organization.name):
                yield dg.AssetMaterialization(model_key(model), metadata={**common, **shown.get(model.name, {})})

    def _text_of_models(self, error: Exception) -> str:
        return (
            f"{self._organization.name}: windows are loaded, but models are behind them: {error} "
            "The next load makes up for it, and so does materializing the asset models/sessions."
        )

    def _check_results(self, outcome: WindowDone | WindowFailed) -> Iterator[Any]:
        return (self._check_result(each, outcome.window) for each in evaluate(outcome) if self._is_news(each))

    def _is_news(self, evaluation: Evaluation) -> bool:
        """Return whether a result is recorded: not a warning that passes for one more window of the run.

        Every event costs Dagster 10 to 20 ms and three rows on SQLite, which for three warnings an hour is a third of
        all that it keeps of a window. What they counted is in the window's metadata as well.
        """
        if self._single or evaluation.severity == dg.AssetCheckSeverity.ERROR:
            return True
        passed_before = self._passed.get(evaluation.name, False)
        self._passed[evaluation.name] = evaluation.passed
        return not (evaluation.passed and passed_before)

    def _check_result(self, evaluation: Evaluation, window: ExportWindow) -> Any:
        common: dict[str, Any] = {
            "asset_key": self._keys[evaluation.step],
            "check_name": evaluation.name,
            "passed": evaluation.passed,
            "severity": evaluation.severity,
            "description": evaluation.description,
            "metadata": evaluation.metadata,
        }
        if self._single:
            return dg.AssetCheckResult(**common)
        return dg.AssetCheckEvaluation(**common, partition=window.partition_key)

    @property
    def _single(self) -> bool:
        return len(self._windows) == 1

    def _log(self, outcome: Outcome) -> None:
        """Log what happened to a window, and how far the run is."""
        name, log = self._organization.name, self._context.log
        if isinstance(outcome, WindowFailed):
            log.error(self._text(outcome))
        elif isinstance(outcome, WindowDone):
            text = f"{name} {outcome.window}: {_summary(outcome)}."
            log.info("%s%s", text, "" if outcome.loaded else f" {self._progress()}")
        elif isinstance(outcome, LoadDone):
            count = "1 window" if outcome.windows == 1 else f"{outcome.windows} windows"
            text = f"{name}: {count}, {outcome.rows:,} rows loaded in one transaction of {outcome.seconds:.1f} s."
            log.info("%s %s", text, self._progress())
        elif isinstance(outcome, ModelsBehind):
            log.error(self._text_of_models(outcome.error))
        elif isinstance(outcome, ModelsUpdated):
            log.info("%s: models are up to date, in %.1f s.", name, outcome.seconds)
        else:
            self._report_waiting(outcome)

    def _report_waiting(self, waiting: StillWaiting) -> None:
        """Give a sign of life: an event, since `dead_runs` listens to it and a level of logging must not silence it."""
        ready = f" {waiting.prepared} ready to load." if waiting.prepared else ""
        text = f"{self._organization.name} {waiting.window}: still under way.{ready} {self._progress(waiting.prepared)}"
        self._context.instance.report_engine_event(text, self._context.run)

    def _progress(self, prepared: int = 0) -> str:
        """Return how far the run is; `prepared` windows are not loaded yet and have taken their time already."""
        over = self._done + len(self._failed)
        text = f"{self._done} of {len(self._windows)} windows done, {self._rows:,} rows"
        if self._failed:
            text += f", {len(self._failed)} failed"
        left = len(self._windows) - over - prepared
        if left and over + prepared:
            seconds = (time.monotonic() - self._began) / (over + prepared) * left
            text += f", about {_duration(seconds)} left"
        return f"{text}."

    def _text(self, failed: WindowFailed) -> str:
        text = describe(failed.error, org=self._organization.name, window=failed.window, doing=failed.doing)
        if isinstance(failed.error, Unauthorized | Forbidden):
            text += f" The key comes from {self._organization.keys_file or self._organization.api_key_env}."
        return text

    def _failure(self) -> dg.Failure:
        """Return the error that ends the run: every window that failed, with its cause and the next step.

        Dagster must not retry the step: what is worth retrying was retried, and done windows would be done again. The
        catch-up asks again for the windows that are missing.
        """
        name = self._organization.name
        texts = {each.window.partition_key: self._text(each) for each in self._failed}
        not_tried = len(self._windows) - self._done - len(self._failed)
        lines = [f"{name}: {len(self._windows) - self._done} of {len(self._windows)} windows are not done."]
        lines += list(texts.values())[:_FAILURES_SHOWN]
        if len(texts) > _FAILURES_SHOWN:
            lines.append(f"… and {len(texts) - _FAILURES_SHOWN} more; see this failure's metadata.")
        if not_tried:
            lines.append(f"{not_tried} windows were not tried, since the same error would meet them.")
        kinds = {each.window.partition_key: kind_of(each.error) for each in self._failed}
        return dg.Failure("\n".join(lines), metadata={"failed_windows": texts, "kinds": kinds}, allow_retries=False)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _rows(done: WindowDone) -> int:
    if done.loaded:
        return done.loaded.rows
    return done.staged.summary.rows if done.staged else 0


def _summary(done: WindowDone) -> str:
    """Return a window's numbers in a fixed order, for the log."""
    parts = []
    if done.landed:
        how = "resumed export" if done.landed.resumed else "export"
        parts.append(f"landed {done.landed.bytes:,} bytes in {done.landed.seconds:.1f} s ({how})")
    if done.staged:
        parts.append(f"staged {done.staged.summary.rows:,} rows, {done.staged.summary.rejected:,} rejected")
    if done.loaded:
        parts.append(f"loaded {done.loaded.rows:,} rows into {done.loaded.table}")
    return ", ".join(parts)
