"""The keys file: who is in it, what is said of a wrong line, and that no key is ever repeated."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fullstory_assets.config import Settings, load_settings
from fullstory_assets.config.keys_file import read_key, read_keys_file
from fullstory_assets.errors import ConfigError, MissingSecret
from fullstory_assets_tests.config_text import ACME, complaints, load

KEY = "na1.hunter2/+=="
KEYED = "keys_file: keys.csv\ndefaults:\n  start: 2026-01-01\n"
"""A configuration whose organizations all stand in the keys file."""


def keyed(folder: Path, keys: str | bytes, content: str = KEYED) -> Settings:
    (folder / "keys.csv").write_bytes(keys.encode() if isinstance(keys, str) else keys)
    return load(folder, content)


def keyed_complaints(folder: Path, keys: str | bytes, content: str = KEYED) -> list[str]:
    (folder / "keys.csv").write_bytes(keys.encode() if isinstance(keys, str) else keys)
    return complaints(folder, content)


GOOD = {
    "hauser's": f"acme,{KEY}\nacme-eu,{KEY}2\n",
    "the last line has no line break": f"acme,{KEY}\nacme-eu,{KEY}2",
    "blank lines and comments": f"# ours\n\nacme,{KEY}\n  \t\n # theirs, too\nacme-eu,{KEY}2\n\n",
    "spaces": f"  acme ,\t{KEY}  \nacme-eu, {KEY}2 \n",
    "CRLF": f"acme,{KEY}\r\nacme-eu,{KEY}2\r\n",
    "CR": f"acme,{KEY}\racme-eu,{KEY}2\r",
    "byte-order mark": f"\ufeffacme,{KEY}\nacme-eu,{KEY}2\n",
    "a comment behind a byte-order mark": f"\ufeff# ours\nacme,{KEY}\nacme-eu,{KEY}2\n",
}


@pytest.mark.parametrize("keys", GOOD.values(), ids=GOOD)
def test_each_line_is_an_organization(tmp_path, keys):
    settings = keyed(tmp_path, keys)

    assert [each.name for each in settings.organizations] == ["acme", "acme-eu"]
    assert [each.api_key({}) for each in settings.organizations] == [KEY, f"{KEY}2"]


WRONG = {
    "no comma": (KEY, "is not `name,key`: it has no comma"),
    "blanks in place of the comma": (f"acme {KEY}", "is not `name,key`: it has no comma"),
    "a comma too many": (f"acme,{KEY},{KEY}", "is not `name,key`: it has more than one comma"),
    "no name": (f",{KEY}", "the name before the comma is not allowed: letters, digits,"),
    "a path as name": (f"../hunter2,{KEY}", "the name before the comma is not allowed: letters, digits,"),
    "the key first": (f"{KEY},acme", "the name before the comma is not allowed: letters, digits,"),
    "a key first that could be a name": (
        "hunter2hunter2hunter2hunter2,acme",
        "has a name that is longer than the key: it is `name,key`, in this order",
    ),
    "no key": ("acme,", "has no key behind the comma"),
    "quotes": (f'acme,"{KEY}"', "holds characters that no key has: write the key alone, without quotes"),
    "a comment behind": (f"acme,{KEY} # ours", "holds characters that no key has: "),
    "Basic": (f"acme,Basic {KEY}", "holds characters that no key has: "),
    "a NUL": (f"acme,{KEY}\0", "holds characters that no key has: "),
    "letters beyond ASCII": (f"acme,{KEY}\u00e9", "holds characters that no key has: "),
    "twice": (f"other,{KEY}", "names the same organization as line 2; remove one"),
    "twice but for case": (f"Other,{KEY}", "is the same name as that of line 2; case, `-` and `_` make no difference"),
}


@pytest.mark.parametrize(("line", "text"), WRONG.values(), ids=WRONG)
def test_a_wrong_line_is_named_by_its_number(tmp_path, line, text):
    [found] = keyed_complaints(tmp_path, f"# ours\nother,{KEY}\n\n{line}\n")

    assert found.startswith(f"keys.csv:4: {text}")
    assert "hunter2" not in found


FILES = {
    "empty": ("", "holds no organization; write a line `name,key` for each"),
    "comments only": ("# acme,hunter2", "holds no organization; write a line `name,key` for each"),
    "Latin-1": (f"acme,{KEY}\ncaf\u00e9,{KEY}".encode("latin-1"), "2: is not UTF-8 text; save it as UTF-8"),
    "UTF-16": (f"acme,{KEY}".encode("utf-16"), "1: is not UTF-8 text; save it as UTF-8"),
    "too large": (f"acme,{KEY}\n" * 20_000, "is larger than 256 KiB; this is not a keys file"),
}


@pytest.mark.parametrize(("keys", "text"), FILES.values(), ids=FILES)
def test_what_is_no_keys_file(tmp_path, keys, text):
    [found] = keyed_complaints(tmp_path, keys)

    assert found.startswith(f"fullstory.yaml:1: keys_file: {tmp_path}/keys.csv:")
    assert text in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "make",
    [lambda _: None, Path.mkdir, os.mkfifo, lambda path: path.symlink_to("gone")],
    ids=["nothing", "folder", "pipe", "link"],
)
def test_what_is_not_a_file(tmp_path, make):
    make(tmp_path / "keys.csv")

    assert complaints(tmp_path, KEYED) == [f"fullstory.yaml:1: keys_file: {tmp_path}/keys.csv: is not a file"]


def test_a_path_that_is_none(tmp_path):
    [found] = complaints(tmp_path, KEYED.replace("keys.csv", "~/keys.csv"))

    assert found.startswith("fullstory.yaml:1: keys_file: '~/keys.csv' is not a path on this machine")


def test_a_relative_path_starts_at_the_configuration(tmp_path):
    (tmp_path / "etc").mkdir()
    keyed(tmp_path / "etc", f"acme,{KEY}")

    [acme] = load_settings({"FULLSTORY_ASSETS_CONFIG": "etc/fullstory.yaml"}, tmp_path).organizations

    assert acme.keys_file == tmp_path / "etc/keys.csv"


def test_every_problem_of_both_files_is_told_at_once(tmp_path):
    content = f"{KEYED}  evry: 2h\norganizations:\n  - name: acme\n    lag: 1m\n"
    found = keyed_complaints(tmp_path, f"acme,{KEY}\nx\nacme,{KEY}\n", content)

    assert [line.partition(": ")[0] for line in found] == [
        "fullstory.yaml:4", "fullstory.yaml:7", "keys.csv:2", "keys.csv:3",
    ]  # fmt: skip


def test_an_organization_of_both_has_the_settings_of_one_and_the_key_of_the_other(tmp_path):
    content = f"{KEYED}organizations:\n  - name: acme\n    lag: 3h\n  - name: own\n    api_key_env: OWN_KEY\n"
    acme, own, other = keyed(tmp_path, f"other,{KEY}\nacme,{KEY}2\n", content).organizations

    assert (acme.name, acme.lag.seconds, acme.api_key({"FULLSTORY_API_KEY": "no"})) == ("acme", 10800, f"{KEY}2")
    assert (own.name, own.api_key({"OWN_KEY": "own"})) == ("own", "own")
    assert (other.name, other.api_key({})) == ("other", KEY)


def test_a_key_is_in_one_place(tmp_path):
    content = f"{KEYED}organizations:\n  - name: acme\n    api_key_env: ACME_KEY\n"

    [found] = keyed_complaints(tmp_path, f"\nacme,{KEY}", content)

    assert found == (
        "fullstory.yaml:6: organizations[0] (acme).api_key_env: cannot stand here: the key is in keys.csv, line 2; "
        "remove one of them"
    )


def test_a_name_that_differs_too_little_from_one_of_the_configuration(tmp_path):
    content = f"{KEYED}organizations:\n  - name: acme-eu\n"

    assert keyed_complaints(tmp_path, f"acme_eu,{KEY}", content) == [
        "keys.csv:1: is the same name as that of organizations[0]; case, `-` and `_` make no difference"
    ]


@pytest.mark.parametrize("place", ["defaults:\n  start: 2026-01-01\n  ", "organizations:\n  - name: acme\n    "])
def test_the_keys_file_stands_at_the_top(tmp_path, place):
    found = keyed_complaints(tmp_path, f"acme,{KEY}", f"keys_file: keys.csv\n{place}keys_file: others.csv\n")

    assert "stands at the top of the file, for all organizations that it names" in found[-1]


def test_a_header_may_be_called_like_a_setting(tmp_path):
    assert keyed(tmp_path, f"acme,{KEY}", f"{KEYED}  headers: {{keys_file: text}}\n").organizations[0].headers


def test_what_is_filled_in_is_not_offered_as_a_setting(tmp_path):
    [found] = complaints(tmp_path, f"{ACME}    x: y\n")

    assert "known here: name, api_key_env, " in found
    assert "keys_file" not in found


def test_a_file_of_wrong_lines_only_is_told_line_by_line(tmp_path):
    assert [line.partition(": ")[0] for line in keyed_complaints(tmp_path, f"{KEY}\nacme;{KEY}\n")] == [
        "keys.csv:1", "keys.csv:2",
    ]  # fmt: skip


GONE = {
    "no line": (f"acme,{KEY}", "the keys file {path} has no line `name,key` for it."),
    "two lines": (f"other,{KEY}\nother,{KEY}", "the keys file {path} has more than one line for it."),
    "no keys file": (b"\xff", "the keys file {path}:1: is not UTF-8 text; save it as UTF-8."),
}


@pytest.mark.parametrize(("keys", "text"), GONE.values(), ids=GONE)
def test_a_key_that_is_gone_when_it_is_needed(tmp_path, keys, text):
    [org] = keyed(tmp_path, f"other,{KEY}").organizations
    path = tmp_path / "keys.csv"
    path.write_bytes(keys if isinstance(keys, bytes) else keys.encode())

    with pytest.raises(MissingSecret) as caught:
        org.api_key({})

    assert str(caught.value) == f"other: {text.format(path=path)} Mend it; no restart is needed."
    assert caught.value.__cause__ is None


def test_a_new_key_is_used_and_wrong_lines_of_others_do_not_matter(tmp_path):
    [acme] = keyed(tmp_path, f"acme,{KEY}").organizations
    (tmp_path / "keys.csv").write_text(f"half a li\nacme,{KEY}2\n")

    assert acme.api_key({}) == f"{KEY}2"


def test_the_settings_hold_the_path_and_no_key(tmp_path):
    settings = keyed(tmp_path, f"acme,{KEY}")

    for text in (repr(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "keys.csv" in text
        assert "hunter2" not in text


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)], ids=oct)
def test_a_file_that_everybody_may_read_is_warned_of(tmp_path, caplog, mode, warned):
    (tmp_path / "keys.csv").touch()
    (tmp_path / "keys.csv").chmod(mode)
    with caplog.at_level(logging.WARNING):
        keyed(tmp_path, f"acme,{KEY}")

    assert [record.getMessage() for record in caplog.records] == warned * [
        f"keys.csv holds API keys, and every user may read it: chmod o= {tmp_path}/keys.csv"
    ]


@pytest.fixture(scope="module")
def keys_path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.csv"


PARTS = st.sampled_from(["acme", "other", "hunter2", KEY, ",", "#", "\n", "\r", " ", "\ufeff", "\0", '"', "\x85", "-"])


@given(st.lists(PARTS | st.text(max_size=5), max_size=20).map("".join) | st.text(max_size=100))
@example("acme,hunter2")
def test_any_text_is_read_or_refused_without_repeating_it(keys_path, text):
    keys_path.write_bytes(text.encode(errors="surrogatepass"))
    refused = ""
    try:
        names, problems = (found := read_keys_file(keys_path)).names, found.problems
    except ConfigError as error:
        names, problems, refused = {}, [], str(error)
    assert names or problems or refused.startswith(str(keys_path))
    assert "hunter2" not in "".join([refused, *(problem for _, problem in problems)])
    assert all(0 < line <= len(text) + 1 for line in (*names.values(), *(line for line, _ in problems)))
    twice = any("names the same organization" in problem for _, problem in problems)
    for name in names if not twice else []:
        assert read_key(keys_path, name) in text
