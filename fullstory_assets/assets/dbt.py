"""A dbt project as Dagster's assets, downstream of what is loaded and of the models.

dagster-dbt makes the assets; what is ours is which of the project's sources are tables of ours, so that the graph is
connected, and that the project is read again when one of its files is newer than what dbt last wrote of it
(https://docs.dagster.io/integrations/libraries/dbt/reference).
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg

from fullstory_assets.assets.events import asset_keys
from fullstory_assets.assets.model_keys import model_key
from fullstory_assets.config import Settings
from fullstory_assets.config.dbt import DbtSettings
from fullstory_assets.errors import ConfigError
from fullstory_assets.extras import load_extra
from fullstory_assets.models.base import ModelPlan

Table = tuple[str, str]
"""Schema and name of a table or view, in small letters."""

_MADE_BY_DBT = {"target", "logs"}
_WORDS = 2_000


def our_tables(settings: Settings, plan: ModelPlan | None) -> Mapping[Table, Sequence[dg.AssetKey]]:
    """Return which assets each of our tables holds: several, where organizations share one."""
    tables: dict[Table, list[dg.AssetKey]] = {}
    for each in settings.organizations:
        table = (settings.warehouse.events_schema.lower(), settings.table_of(each).lower())
        tables.setdefault(table, []).append(asset_keys(each)["events"])
    if plan:
        tables |= {(plan.schema.lower(), plan.named(model.name)): [model_key(model)] for model in plan.models}
    return tables


def build_dbt_assets(chosen: DbtSettings, tables: Mapping[Table, Sequence[dg.AssetKey]]) -> dg.AssetsDefinition:
    """Return the assets of a dbt project.

    Args:
        chosen: Which project.
        tables: Which assets the tables hold that its sources may be.

    Raises:
        MissingPackage: dagster-dbt is not installed.
        ConfigError: There is no such project, or dbt cannot read it.
    """
    dagster_dbt = load_extra("dagster_dbt", extra="dbt")
    if not (chosen.project / "dbt_project.yml").is_file():
        raise ConfigError(
            f"There is no dbt_project.yml in {chosen.project}.", remedy="Correct `project` of `dbt` in fullstory.yaml."
        )
    project = dagster_dbt.DbtProject(chosen.project, profiles_dir=_profiles(chosen), target=chosen.target)
    if _is_stale(project.manifest_path, chosen.project):
        _parse(chosen, project.manifest_path)
    settings = dagster_dbt.DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)

    class Translator(dagster_dbt.DagsterDbtTranslator):
        """Calls our tables, where they are sources, by the keys of our assets."""

        def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
            found = _assets_of(dbt_resource_props, tables)
            return found[0] if found else super().get_asset_key(dbt_resource_props)

        def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
            spec = super().get_asset_spec(manifest, unique_id, project)
            sharing = {keys[0]: keys[1:] for keys in tables.values()}
            more = {key for dep in spec.deps for key in sharing.get(dep.asset_key, ())}
            more -= {dep.asset_key for dep in spec.deps}
            return spec.replace_attributes(deps=[*spec.deps, *sorted(more)]) if more else spec

    @dagster_dbt.dbt_assets(
        manifest=project.manifest_path,
        project=project,
        name="dbt",
        dagster_dbt_translator=Translator(settings),
        required_resource_keys={"dbt"},
    )
    def dbt(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield from context.resources.dbt.cli(["build"], context=context).stream()

    resource = dagster_dbt.DbtCliResource(project_dir=project, dbt_executable=_executable())
    (assets,) = dg.with_resources([dbt], {"dbt": resource})
    return assets


def _assets_of(
    resource: Mapping[str, Any], tables: Mapping[Table, Sequence[dg.AssetKey]]
) -> Sequence[dg.AssetKey] | None:
    meta = resource.get("config", {}).get("meta") or resource.get("meta") or {}
    if resource["resource_type"] != "source" or meta.get("dagster", {}).get("asset_key"):
        return None
    return tables.get((resource["schema"].lower(), resource["identifier"].lower()))


def _profiles(chosen: DbtSettings) -> Path:
    if chosen.profiles:
        return chosen.profiles
    return chosen.project if (chosen.project / "profiles.yml").exists() else Path.home() / ".dbt"


def _executable() -> str:
    # The one beside this Python, whether or not its environment is activated.
    beside = Path(sys.executable).with_name("dbt")
    return str(beside) if beside.exists() else "dbt"


def _is_stale(manifest: Path, project: Path) -> bool:
    if not manifest.exists():
        return True
    made = manifest.stat().st_mtime
    for folder, names, files in os.walk(project):
        names[:] = [name for name in names if not name.startswith(".") and name not in _MADE_BY_DBT]
        if any(Path(folder, file).stat().st_mtime > made for file in files):
            return True
    return False


def _parse(chosen: DbtSettings, manifest: Path) -> None:
    """Have dbt write what it reads of the project, at once: others may be reading that. dbt does not connect for it."""
    manifest.parent.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=manifest.parent, prefix="parse-") as target:
        folders = ["--project-dir", chosen.project, "--profiles-dir", _profiles(chosen), "--target-path", target]
        chosen_target = ["--target", chosen.target] if chosen.target else []
        done = subprocess.run(  # noqa: S603 - dbt's own command, without a shell
            [_executable(), "--no-use-colors", "parse", "--quiet", *folders, *chosen_target],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            words = (done.stdout or done.stderr).strip()[-_WORDS:]
            raise ConfigError(
                f"dbt cannot read the project in {chosen.project}: {words}",
                remedy="Run `dbt parse` there, and `dbt deps` before when it has packages.",
            )
        Path(target, manifest.name).replace(manifest)
