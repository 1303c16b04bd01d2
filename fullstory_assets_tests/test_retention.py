"""How long files are kept, and that nothing else goes."""

import logging
from datetime import datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from fullstory_assets.config import Settings
from fullstory_assets.config.values import Origin
from fullstory_assets.errors import StorageError
from fullstory_assets.retention import Retention
from fullstory_assets.storage.local import LocalStorage
from fullstory_assets.windows import ExportWindow, ObjectKeys
from fullstory_assets_tests.project import truth
from fullstory_assets_tests.target import choose

END = datetime(2026, 1, 10, tzinfo=timezone.utc)


def keys(hours_ago: int, org: str = "acme") -> ObjectKeys:
    end = END - timedelta(hours=hours_ago)
    return ObjectKeys(org, ExportWindow(end - timedelta(hours=1), end))


def files(project) -> list[str]:
    return sorted(path.name for path in (project.folder / "data" / "events").rglob("*.*"))


@pytest.fixture
def storage(tmp_path):
    storage = LocalStorage(tmp_path)
    for of in (keys(0), keys(24), keys(25), keys(25, "acme2")):
        for key in (of.raw, of.staged, of.rejected, of.export):
            storage.write_bytes(key, b"x")
    storage.write_bytes("acme/notes.txt", b"somebody else's")
    return storage


def test_everything_is_kept_unless_told_otherwise(project):
    windows = project.windows(9, 10)
    assert project.run(windows).success
    assert sum(name.endswith((".ndjson.gz", ".parquet")) for name in files(project)) == 4


def test_nothing_is_kept_once_it_is_loaded(project):
    choose(project, storage={"keep": "none", "kind": "local", "path": "data/events"})
    windows = project.windows(9, 10)
    for _ in range(2):
        assert project.run(windows).success
        assert {name.partition(".")[2] for name in files(project)} == {"export.json"}
    assert project.rows() == truth(windows)
    assert "preview" in project.metadata(windows[0])


def test_what_was_not_loaded_is_kept(project):
    choose(project, storage={"keep": "none", "kind": "local", "path": "data/events"})
    assert project.run(project.windows(9), steps=["raw_events", "staged_events"]).success
    assert sum(name.endswith((".ndjson.gz", ".parquet")) for name in files(project)) == 2


def test_files_go_with_their_last_day_at_the_end_of_a_run(project):
    choose(project, storage={"keep": 1, "kind": "local", "path": "data/events"})
    windows = project.windows(9)
    assert project.run(windows).success
    assert {name.partition(".")[2] for name in files(project)} == {"export.json"}
    assert project.rows() == truth(windows)


def test_a_run_that_only_stages_keeps_what_it_has_made(project):
    choose(project, storage={"keep": 1, "kind": "local", "path": "data/events"})
    assert project.run(project.windows(9), steps=["raw_events", "staged_events"]).success
    assert sum(name.endswith((".ndjson.gz", ".parquet")) for name in files(project)) == 2


def test_days_count_from_the_windows_end(storage):
    Retention("acme", storage, 1).sweep(END)
    owners = [ObjectKeys.parse(key) for key in storage.keys("acme/")]
    assert [owners.count(keys(hours)) for hours in (0, 24, 25)] == [4, 4, 1]
    assert keys(25).export in [*storage.keys("acme/")]
    assert len([*storage.keys("acme2/")]) == 4
    assert "acme/notes.txt" in [*storage.keys("acme/")]


@pytest.mark.parametrize("keep", ["forever", "none"])
def test_only_days_are_swept(storage, keep):
    before = [*storage.keys()]
    Retention("acme", storage, keep).sweep(END + timedelta(days=9999))
    assert [*storage.keys()] == before


def test_rejected_records_stay_when_nothing_is_kept(storage):
    Retention("acme", storage, "none").loaded(keys(0).window)
    left = [key for key in storage.keys("acme/") if ObjectKeys.parse(key) == keys(0)]
    assert left == sorted([keys(0).export, keys(0).rejected])


def test_a_file_that_cannot_be_removed_is_told_and_harms_nothing(storage, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    delete = LocalStorage.delete

    def refuse(self, key: str) -> None:
        if key == keys(25).raw:
            raise StorageError("It is held.")
        delete(self, key)

    monkeypatch.setattr(LocalStorage, "delete", refuse)
    Retention("acme", storage, 1).sweep(END)
    assert "acme: " in caplog.text
    assert "stays, though its time is over: It is held." in caplog.text
    assert keys(25).raw in [*storage.keys()]
    assert keys(25).staged not in [*storage.keys()]


@pytest.mark.parametrize("keep", [0, -1, "sometimes", 1.5, "true"])
def test_what_is_no_time_is_refused(tmp_path, keep):
    with pytest.raises(ValidationError):
        settings(tmp_path, storage={"kind": "local", "keep": keep})


def test_something_has_to_be_left(tmp_path):
    with pytest.raises(ValidationError, match="nothing would be left"):
        settings(tmp_path, storage={"kind": "local", "keep": "none"}, warehouse="none")


def settings(folder, **sections) -> Settings:
    organization = {"name": "acme", "start": "2026-01-01T00:00:00Z"}
    return Settings.model_validate(
        {"organizations": [organization], **sections}, context=Origin(folder=folder, source="fullstory.yaml")
    )
