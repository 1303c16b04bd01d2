"""What stands in `deploy/` is checked without a container engine: linters, schemas, and that the files agree."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import click
import pytest
import yaml
from botocore.validate import validate_parameters
from dagster._cli.code_server import start_command
from dagster._daemon.cli import run_command
from dagster_webserver.cli import dagster_webserver

from fullstory_assets_tests.test_docs import ROOT

DEPLOY = ROOT / "deploy"
PROGRAMS = Path(sys.executable).parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
README = (DEPLOY / "README.md").read_text()


def document(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


COMPOSE = document("compose.yaml")
OURS = {name: service for name, service in COMPOSE["services"].items() if name != "postgres"}
TASK = json.loads((DEPLOY / "ecs-task.json").read_text())
HELM = document("helm-values.yaml")
(USER_CODE,) = HELM["dagster-user-deployments"]["deployments"]


def test_hadolint_finds_nothing_in_the_dockerfile():
    lint = [PROGRAMS / "hadolint", "--no-color", DEPLOY / "Dockerfile"]
    ended = subprocess.run(lint, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="check-jsonschema needs Python 3.11")
def test_compose_has_the_schema_of_its_specification():
    check = [PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]
    ended = subprocess.run(check, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_task_definition_is_what_ecs_takes():
    operation = botocore.session.get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition")

    validate_parameters(TASK, operation.input_shape)


# The image.


def copied() -> list[str]:
    found = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.M)
    return [name for line in found for name in line.split()]


@pytest.mark.parametrize("name", copied())
def test_what_the_image_copies_is_there_and_is_let_through(name):
    ignored = (ROOT / ".dockerignore").read_text().split("\n")

    assert (ROOT / name).exists()
    assert ignored[1] == "*"
    assert f"!{name}" in ignored


def test_nothing_else_is_let_through():
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().split("\n") if line.startswith("!")]

    assert sorted(allowed) == sorted(copied())


def test_the_image_is_pinned_and_runs_as_a_user_without_rights():
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+\.\d+-slim-\w+$", DOCKERFILE, flags=re.M)
    assert DOCKERFILE.count("--require-hashes") == 3
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.M)) == {"${PYTHON_IMAGE}"}
    assert re.findall(r"^USER (.+)$", DOCKERFILE, flags=re.M) == ["10001:10001"]
    assert {each["user"] for each in TASK["containerDefinitions"]} == {"10001:10001"}
    assert USER_CODE["podSecurityContext"]["runAsUser"] == 10001


@pytest.mark.parametrize("extra", sorted({*re.findall(r'EXTRAS="([^"]+)"', DOCKERFILE + README), "ui postgres"}))
def test_the_extras_are_in_pyproject(extra):
    text = (ROOT / "pyproject.toml").read_text()

    assert all(re.search(rf"^{name} = \[", text, flags=re.M) for name in extra.split())


# What is the same in all.


def image_environment() -> dict[str, str]:
    (block,) = re.findall(r"^ENV (PATH(?:.*\\\n)*.*)$", DOCKERFILE, flags=re.M)
    return dict(part.split("=", 1) for part in block.replace("\\\n", " ").split())


def test_every_variable_is_documented_with_its_default():
    table = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([^|`]+)`? \|", README, flags=re.M))
    named = set(
        re.findall(r"env: (\w+)", (DEPLOY / "dagster.yaml").read_text() + (DEPLOY / "workspace.yaml").read_text())
    )
    set_here = {name for service in OURS.values() for name in service["environment"]}
    set_there = {each["name"] for container in TASK["containerDefinitions"] for each in container["environment"]}
    own = {name: value for name, value in image_environment().items() if name in table}

    assert named <= table.keys()
    assert set_here <= table.keys()
    assert set_there - {"AWS_DEFAULT_REGION"} <= table.keys()
    assert own == {name: default for name, default in table.items() if default not in ("none", "prefer")}


def test_compose_and_ecs_start_and_check_the_same_programs():
    for container in TASK["containerDefinitions"]:
        service = OURS[container["name"]]
        # In a task all share 127.0.0.1; in Compose each has an address of its own.
        assert container["command"][-2:] == service["command"][-2:]
        assert container["command"][0] == service["command"][0]
        assert container["healthCheck"]["command"] == service["healthcheck"]["test"]
    assert OURS["code"]["command"] == json.loads(re.findall(r"^CMD (.+)$", DOCKERFILE, flags=re.M)[0])


PROGRAM: dict[str, tuple[click.Command, int]] = {
    "code": (start_command, 3),
    "webserver": (dagster_webserver, 1),
    "daemon": (run_command, 2),
}
"""What each command starts, and how many words say so."""


@pytest.mark.parametrize("name", OURS)
def test_the_programs_take_the_options_that_they_are_given(name):
    program, words = PROGRAM[name]
    given = OURS[name]["command"]

    assert given[words - 1] in (program.name, "dagster-webserver")
    with program.make_context(None, given[words:]) as context:
        assert not context.args


def test_ports_are_open_to_this_machine_only():
    ports = {name: service.get("ports", []) for name, service in COMPOSE["services"].items()}

    assert ports == {"postgres": [], "code": [], "daemon": [], "webserver": ["127.0.0.1:3000:3000"]}


@pytest.mark.parametrize("name", OURS)
def test_in_compose_each_restarts_is_checked_and_can_write_to_its_volumes_only(name):
    service = OURS[name]
    folders = {volume.split(":")[-1] for volume in service["volumes"] if isinstance(volume, str)}

    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert f"VOLUME {json.dumps(sorted(folders))}" in DOCKERFILE


@pytest.mark.parametrize("name", [container["name"] for container in TASK["containerDefinitions"]])
def test_in_ecs_each_can_write_to_its_volumes_only(name):
    (container,) = [each for each in TASK["containerDefinitions"] if each["name"] == name]

    assert container["readonlyRootFilesystem"]
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert {mount["sourceVolume"] for mount in container["mountPoints"]} <= {each["name"] for each in TASK["volumes"]}


def test_keys_are_given_to_the_code_server_only():
    assert [name for name, service in COMPOSE["services"].items() if "env_file" in service] == ["code"]
    secrets = {each["name"]: {one["name"] for one in each["secrets"]} for each in TASK["containerDefinitions"]}
    assert {name for name, held in secrets.items() if held != {"DAGSTER_POSTGRES_PASSWORD"}} == {"code"}


FILES = [DEPLOY / "Dockerfile", *sorted({*DEPLOY.glob("*.*")} - {DEPLOY / ".env"})]

SECRET = re.compile(r"^ *[\w\"]*(?:password|secret|token|key)[\w\"]*[ ]*[:=][ ]*(.*)$", flags=re.I | re.M)
"""A line that gives a secret a value."""

REFERENCE = re.compile(r"$|\$\{\w+:\?|\{ env: \w+ \}|\[$|false$|dagster-postgresql$")
"""Nothing, or where it comes from."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_holds_a_secret(path):
    assert [value for value in SECRET.findall(path.read_text()) if not REFERENCE.match(value)] == []


def test_a_secret_in_a_file_would_be_seen():
    assert SECRET.findall("  DAGSTER_POSTGRES_PASSWORD: abc\n") == ["abc"]
    assert SECRET.findall('"api_key": "abc"') == ['"abc"']
    assert not REFERENCE.match("abc")


def test_git_sees_neither_secrets_nor_configuration():
    assert {".env", "/deploy/config/"} <= {*(ROOT / ".gitignore").read_text().split("\n")}


# Dagster's settings.


def test_dagster_is_set_as_at_the_top_level_but_for_its_storage():
    there, here = document("dagster.yaml"), yaml.safe_load((ROOT / "dagster.yaml").read_text())

    assert set(there.pop("storage")) == {"postgres"}
    assert set(here.pop("storage")) == {"sqlite"}
    assert there == here


def test_links_within_the_project_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)]*)\)", README)
    for target, _, anchor in (link.partition("#") for link in links):
        page = (DEPLOY / target) if target else DEPLOY / "README.md"
        titles = [
            re.sub(r"[^\w -]", "", title.lower()) for title in re.findall(r"^#+ (.+)$", page.read_text(), flags=re.M)
        ]
        assert not anchor or anchor in {title.replace(" ", "-") for title in titles}, (target, anchor)
