"""hauser's sync point as our beginning, by the command: read before anything is changed, and safe to give again."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from fullstory_assets import take_over
from fullstory_assets.assets.partitions import partitions_of
from fullstory_assets.cli import cli
from fullstory_assets.config import Settings, load_settings
from fullstory_assets.config.storages import LocalStorageSettings, S3StorageSettings
from fullstory_assets.errors import (
    ConfigError,
    FullStoryAssetsError,
    SyncPointError,
    WarehouseError,
    WarehouseUnreachable,
)
from fullstory_assets.hauser.config import read_config
from fullstory_assets.hauser.places import SyncPlace, sync_places
from fullstory_assets.hauser.recipe import Recipe
from fullstory_assets.hauser.sync import SyncPoint, Tail
from fullstory_assets.mark_loaded import HAUSER
from fullstory_assets.settle import LOADED_BY
from fullstory_assets.take_over import stopped_sensors
from fullstory_assets_tests.hauser_files import LOCAL, TEMPLATE, TOKEN

HOUR = timedelta(hours=1)
SYNCED = datetime(2026, 1, 2, 4, tzinfo=timezone.utc)
CONFIG = """
ExportDuration = "6h"
StartTime = 2026-01-01T00:00:00Z
Provider = "local"
[local]
SaveDir = "saved"
"""
LOADED = LoadableTargetOrigin(module_name="fullstory_assets.definitions")
MARK = ("--name", "acme", "--mark-loaded", "--write", "fullstory.yaml")
SEVERAL = ("--keys", "keys.csv", "--mark-loaded", "--write", "fullstory.yaml")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of somebody who moves: with hauser's configuration, and what it saved."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")
    (tmp_path / "config.toml").write_text(CONFIG)
    save(tmp_path / "saved", SYNCED)
    return tmp_path


def save(place: Path, moment: datetime | str) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / ".sync.hauser").write_text(moment if isinstance(moment, str) else f"{moment:%Y-%m-%dT%H:%M:%SZ}")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["import-hauser", "config.toml", *arguments])


def ran(*arguments: str) -> Result:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def refused(*arguments: str) -> str:
    error = run(*arguments).exception
    assert isinstance(error, FullStoryAssetsError), error
    return str(error)


def settings() -> Settings:
    return load_settings({}, Path.cwd())


def starts() -> dict[str, datetime]:
    return {each.name: each.start for each in settings().organizations}


def done(name: str = "acme") -> list[str]:
    """Return the windows that Dagster shows as loaded, where `fullstory-assets dev` keeps its history."""
    (organization,) = (each for each in settings().organizations if each.name == name)
    with dg.DagsterInstance.local_temp(str(Path.cwd() / "data" / "dagster")) as instance:
        keys = partitions_of(organization.grid).get_partition_keys()
        found = instance.get_materialized_partitions(dg.AssetKey([name, "staged_events"]))
        return [key for key in keys if key in found]


def nothing_happened(folder: Path) -> bool:
    return not (folder / "fullstory.yaml").exists() and not (folder / "data").exists()


def test_one_command_shows_what_the_same_with_a_file_does(folder):
    shown = ran("--name", "acme", "--mark-loaded")
    assert nothing_happened(folder)
    assert "nothing is changed yet" in shown.stderr
    assert "hauser has exported until 2026-01-02 04:00:00Z" in shown.stderr
    assert "06:00" not in shown.stdout

    result = ran(*MARK)
    assert (folder / "fullstory.yaml").read_text() == shown.stdout
    assert starts() == {"acme": datetime(2026, 1, 1, tzinfo=timezone.utc)}
    # The window in which the sync point lies is ours, whole.
    assert done() == ["2026-01-01-00:00_6h", "2026-01-01-06:00_6h", "2026-01-01-12:00_6h", "2026-01-01-18:00_6h"]
    assert f"In Dagster's history ({folder / 'data' / 'dagster'})" in result.stderr
    assert "04:00 is exported again" in result.stderr
    # There is no table whose rows could be compared.
    assert "1. Set, where Dagster runs" in result.stderr
    assert "2. Start Dagster" in result.stderr
    assert "3. " not in result.stderr


def test_what_was_interrupted_goes_on(folder, monkeypatch):
    report, reported = dg.DagsterInstance.report_runless_asset_event, []

    def twice(instance: dg.DagsterInstance, event: Any) -> None:
        if len(reported) == 2:
            raise KeyboardInterrupt
        reported.append(event)
        report(instance, event)

    with monkeypatch.context() as patched:
        patched.setattr(dg.DagsterInstance, "report_runless_asset_event", twice)
        assert run(*MARK).exit_code == 1
    assert len(done()) == 2
    assert reported[0].metadata[LOADED_BY].value == HAUSER
    assert "acme: windows marked as loaded by hauser: 2; done already: 2" in ran(*MARK).stderr
    assert "acme: windows marked as loaded by hauser: 0; done already: 4" in ran(*MARK[2:]).stderr
    assert len(done()) == 4


def test_the_history_is_where_dagster_is_told(folder, monkeypatch):
    home = folder / "home"
    home.mkdir()
    (folder / ".env").write_text(f"DAGSTER_HOME={home}\n")
    assert f"In Dagster's history ({home})" in ran(*MARK).stderr
    assert not (folder / "data").exists()

    monkeypatch.setenv("DAGSTER_HOME", "")
    (folder / ".env").write_text("DAGSTER_HOME=/no/such/folder\n")
    assert "Dagster's history in /no/such/folder cannot be used" in refused(*MARK)


def test_a_file_of_variables_that_is_none_is_said_or_left_alone(folder):
    (folder / ".env").write_bytes(b"A=1\nTOKEN=S\xffECRET\n")
    error = refused("--name", "acme")
    assert error.endswith(".env:2: is not UTF-8 text; save it as UTF-8")
    (folder / ".env").unlink()
    os.mkfifo(folder / ".env")
    ran("--name", "acme")


def test_hausers_file_may_not_be_a_pipe(folder):
    (folder / "config.toml").unlink()
    os.mkfifo(folder / "config.toml")
    assert refused("--name", "acme") == "config.toml: is not a file"


def test_what_is_written_goes_where_a_link_leads(folder):
    (folder / "real").mkdir()
    (folder / "fullstory.yaml").symlink_to("real/fullstory.yaml")
    for arguments in (MARK[:2] + MARK[3:], MARK):
        ran(*arguments)
        assert (folder / "fullstory.yaml").is_symlink()
    assert starts() == {"acme": datetime(2026, 1, 1, tzinfo=timezone.utc)}


def test_without_marking_we_begin_at_the_sync_point(folder):
    ran("--name", "acme", "--sync", "--write", "fullstory.yaml")
    assert starts() == {"acme": datetime(2026, 1, 2, tzinfo=timezone.utc)}
    assert not (folder / "data").exists()


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        ("yesterday", "holds no time: 'yesterday'"),
        ("2099-01-01T00:00:00Z", "which is yet to come"),
        (None, "hauser has finished no export. Look there"),
    ],
)
def test_nothing_is_changed_when_the_sync_point_cannot_be_read(folder, saved, said):
    (folder / "saved" / ".sync.hauser").unlink()
    if saved:
        save(folder / "saved", saved)
    error = refused(*MARK)
    assert error.startswith("acme: ")
    assert said in error
    assert nothing_happened(folder)


def test_a_file_that_was_written_before_gets_its_start(folder):
    (folder / "config.toml").write_text(CONFIG.replace("StartTime", "# StartTime"))
    ran("--name", "acme", "--write", "fullstory.yaml")
    assert starts()["acme"] > SYNCED

    result = ran(*MARK)
    assert "fullstory.yaml: has its `start` now" in result.stderr
    assert "30 days" not in result.stderr
    assert starts() == {"acme": datetime(2026, 1, 2, tzinfo=timezone.utc)}

    (folder / "saved" / f"{SYNCED.timestamp() - 24 * 3600:.0f}.csv").touch()
    assert "marked as loaded by hauser: 4" in ran(*MARK).stderr
    ran("--name", "acme", "--write", "fullstory.yaml")
    assert starts() == {"acme": datetime(2026, 1, 1, tzinfo=timezone.utc)}


def test_a_file_that_people_have_changed_is_kept(folder):
    ran("--name", "acme", "--write", "fullstory.yaml")
    path = folder / "fullstory.yaml"
    changed = path.read_text().replace("every: 6h", "every: 6h # as hauser\n    segment: abc")
    path.write_text(changed)
    assert "marked as loaded by hauser: 4" in ran(*MARK).stderr
    assert path.read_text() == changed

    path.write_text(changed.replace("start: 2026-01-01", "start: 2026-01-02"))
    assert "changed by hand, so it is not overwritten:\nacme: set `start: 2026-01-01T00:00Z`" in refused(*MARK)
    path.write_text(changed + "  - name")
    assert isinstance(run(*MARK).exception, ConfigError)


def test_one_of_several_in_a_file_has_to_be_named(folder):
    ran("--name", "acme", "--write", "fullstory.yaml")
    path = folder / "fullstory.yaml"
    path.write_text(path.read_text().replace("storage:", "  - name: beta\n    start: 2026-01-01\nstorage:"))
    assert "fullstory.yaml has no organization fullstory. Say which with --name: acme, beta." in refused(*MARK[2:])
    assert "marked as loaded by hauser: 4" in ran(*MARK).stderr


class TestSeveral:
    @pytest.fixture(autouse=True)
    def recipe(self, folder: Path) -> None:
        (folder / "config.toml").write_text(CONFIG.replace('"saved"', '"saved/$FULLSTORY_ORGID"'))
        (folder / "keys.csv").write_text("".join(f"{name},{TOKEN}\n" for name in ("acme", "beta", "gamma-eu")))
        for name in ("acme", "beta", "gamma-eu"):
            save(folder / "saved" / name, SYNCED)

    def test_each_has_its_sync_point(self, folder):
        save(folder / "saved" / "beta", SYNCED - 12 * HOUR)
        result = ran(*SEVERAL)
        assert set(starts().values()) == {datetime(2026, 1, 1, tzinfo=timezone.utc)}
        assert [len(done(name)) for name in starts()] == [4, 2, 4]
        assert TOKEN not in result.output + (folder / "fullstory.yaml").read_text()

    def test_each_has_its_start_where_they_differ(self, folder):
        ran("--keys", "keys.csv", "--write", "fullstory.yaml")
        save(folder / "saved" / "beta", SYNCED - 12 * HOUR)
        arguments = ("--keys", "keys.csv", "--sync", "--write", "fullstory.yaml")
        ran(*arguments)
        there = datetime(2026, 1, 2, tzinfo=timezone.utc)
        assert starts() == {"acme": there, "beta": there - 12 * HOUR, "gamma-eu": there}
        text = (folder / "fullstory.yaml").read_text()
        assert "keys_file: keys.csv\norganizations:\n  - name: beta\n    start: 2026-01-01T12:00Z\nstorage:" in text
        assert "is there already" in ran(*arguments).stderr

    def test_one_without_a_sync_point_is_named_and_the_others_go_on(self, folder):
        (folder / "saved" / "beta" / ".sync.hauser").unlink()
        result = ran(*SEVERAL)
        assert "Not taken over, since hauser has finished no export of it: beta." in result.stderr
        assert [len(done(name)) for name in starts()] == [4, 0, 4]

    def test_what_is_wrong_is_said_of_each_and_nothing_is_changed(self, folder):
        for name in ("acme", "gamma-eu"):
            save(folder / "saved" / name, "nothing")
        error = refused(*SEVERAL)
        assert [line.split(":")[0] for line in error.splitlines()] == ["acme", "gamma-eu"]
        assert nothing_happened(folder)


def places(text: str, names: tuple[str, ...] = ("acme", "beta")) -> dict[str, SyncPlace]:
    config = read_config(text.replace("$HAUSER_EXPORT_DELAY", "24h"), source="config.toml", environ={})
    recipe = Recipe(Path("keys.csv"), names) if len(names) > 1 else None
    ours = S3StorageSettings(bucket="ours", region="eu-west-1", endpoint_url="http://127.0.0.1:9")
    return sync_places(config, names, recipe=recipe, folder=Path("/srv"), ours=ours)


S3 = 'Provider = "aws"\nStorageOnly = true\nFilePrefix = "{}"\n[s3]\nBucket = "{}"\n'


@pytest.mark.parametrize("name", ["$FULLSTORY_ORGID", "${FULLSTORY_ORGID}", "acme", "beta"])
def test_each_hauser_of_the_recipe_has_its_place(name):
    text = TEMPLATE.replace("$FULLSTORY_ORGID", name)
    assert places(text) == {each: SyncPlace(f"fs_sync_{each}", f"fs_export_{each}") for each in ("acme", "beta")}
    assert [each.storage for each in places(LOCAL.replace("hauser", f"acme-files/{name}/x")).values()] == [
        LocalStorageSettings(path=Path(f"/data/acme-files/{each}/x")) for each in ("acme", "beta")
    ]
    for prefix, bucket in ((f"{name}/", "acme-bucket/exports"), ("", f"acme-bucket/exports/{name}/")):
        found = places(S3.format(prefix, bucket))["beta"]
        assert isinstance(found.storage, S3StorageSettings)
        assert found.storage.model_dump(exclude={"keep"}) == {
            "kind": "s3", "bucket": "acme-bucket", "prefix": "exports" if prefix else "exports/beta",
            "region": "eu-west-1", "endpoint_url": "http://127.0.0.1:9",
        }  # fmt: skip
        assert found.file_prefix == ("beta/" if prefix else "")


def test_one_hauser_has_one_place():
    assert places(S3.format("x", "acme-bucket"), ("acme",))["acme"].file_prefix == "x"
    google = S3.format("", "acme-bucket/y").replace("aws", "gcp").replace("s3", "gcs")
    storage = places(google, ("acme",))["acme"].storage
    assert storage
    assert storage.model_dump(exclude={"keep"}) == {"kind": "gcs", "bucket": "acme-bucket", "prefix": "y"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEMPLATE.replace("fs_sync_$FULLSTORY_ORGID", "fs_sync"), "All organizations have one SyncTable"),
        (TEMPLATE.replace("fs_export_$FULLSTORY_ORGID", "fs_export"), "All organizations have one ExportTable"),
        (TEMPLATE.replace("SyncTable", "# SyncTable"), "config.toml has no BigQuery.SyncTable"),
        (LOCAL, "All organizations have one place for hauser's files"),
    ],
)
def test_what_does_not_say_how_far_each_came(text, said):
    with pytest.raises(SyncPointError, match=said):
        places(text)


class TestReading:
    """What the database says, which `test_hauser_sync_table` reads, is given here."""

    @pytest.fixture
    def given(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, SyncPoint | Exception]:
        answers: dict[str, SyncPoint | Exception] = {}

        def read(_settings: Settings, *, sync_table: str, **_: Any) -> SyncPoint:
            answer = answers[sync_table]
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(take_over, "read_sync_point", read)
        return answers

    def read(self, folder: Path, *, adopt: str, table: str = "fs_export") -> None:
        (folder / "fullstory.yaml").write_text(
            f"organizations: [{{name: a, start: 2026-01-01, table: {table}, adopt_rows: {adopt}}},"
            f" {{name: b, start: 2026-01-01, table: t}}]"
        )
        places = {"a": SyncPlace("sync_a", "FS_export"), "b": SyncPlace("sync_b", "fs_other")}
        now = SYNCED + 99 * HOUR
        take_over.read_cut_overs(load_settings({}, folder), places, hauser_start=None, now=now)

    def test_rows_that_would_be_there_twice_are_refused(self, folder, given):
        given |= {"sync_a": SyncPoint("x", SYNCED, None, Tail(3)), "sync_b": SyncPoint("x", SYNCED, None, Tail(3))}
        self.read(folder, adopt="true")
        self.read(folder, adopt="false", table="another")
        with pytest.raises(SyncPointError, match=r"^a: Rows of hauser .* Set `adopt_rows: true` for a in") as caught:
            self.read(folder, adopt="false")
        assert "\nb: " not in str(caught.value)

    def test_a_table_that_may_not_be_read_hides_no_other(self, folder, given):
        given |= {"sync_a": WarehouseError("permission denied"), "sync_b": SyncPointError("no time")}
        with pytest.raises(SyncPointError, match=r"^a: permission denied\nb: no time$"):
            self.read(folder, adopt="true")

    def test_a_database_that_is_away_is_asked_once(self, folder, given):
        given["sync_a"] = WarehouseUnreachable("it did not answer")
        with pytest.raises(WarehouseUnreachable):
            self.read(folder, adopt="true")


def test_a_sensor_that_was_stopped_is_told(folder):
    ran(*MARK)
    with dg.DagsterInstance.local_temp(str(folder / "data" / "dagster")) as instance:
        assert stopped_sensors(instance, settings()) == []
        origin = RemoteInstigatorOrigin(
            RemoteRepositoryOrigin(InProcessCodeLocationOrigin(LOADED, location_name="here"), "__repository__"),
            "acme_catch_up",
        )
        instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED))
        assert stopped_sensors(instance, settings()) == ["acme_catch_up"]
    assert "Start what was stopped, in Dagster under Automation: acme_catch_up." in ran(*MARK).stderr
