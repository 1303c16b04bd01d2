"""Imports point down only, and what is heavy is imported late: read from the syntax trees, nothing has to run."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fullstory_assets

PACKAGE = Path(fullstory_assets.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    {"errors", "extras", "google_errors", "windows", "window_set", "workers"},
    {"schema", "config", "catch_up"},
    {"client", "storage", "warehouses", "sandbox", "connect"},
    {"export_record", "hauser", "models"},
    {"export", "legacy_export", "transform"},
    {"outcomes"},
    {"preparing", "loading", "line", "sync", "retention"},
    {"resources", "partition_status", "dead_runs", "settle"},
    {"checks", "assets"},
    {"jobs", "mark_loaded", "take_over"},
    {"sensors"},
    {"build"},
    {"definitions", "single_run", "cli"},
)
"""Every part of the package, from the bottom up; a part imports from below or from its own layer."""

FIRST_DAGSTER_LAYER = next(i for i, layer in enumerate(LAYERS) if "resources" in layer)
DRIVERS = {"boto3", "botocore", "dagster_aws", "dagster_gcp", "dagster_postgres", "dagster_snowflake", "duckdb"} | {
    "dagster_dbt", "google", "pandas", "psycopg2", "redshift_connector", "snowflake",
}  # fmt: skip


def part(module: str) -> str:
    """Return the part of the package that a dotted name belongs to."""
    return module.removeprefix("fullstory_assets.").split(".")[0]


def name_of(path: Path) -> str:
    return ".".join(["fullstory_assets", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")


def imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module}
    return found


def at_import_time(tree: ast.Module) -> list[ast.stmt]:
    """Return the statements that run on import: not those in functions, nor under TYPE_CHECKING."""
    return [
        node
        for node in tree.body
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]


def layer_of(module: str) -> int:
    return next(index for index, layer in enumerate(LAYERS) if part(module) in layer)


@pytest.fixture(params=MODULES, ids=name_of)
def module(request) -> tuple[str, ast.Module]:
    return name_of(request.param), ast.parse(request.param.read_text())


def test_imports_point_down(module):
    name, tree = module
    ours = {each for each in imports(tree) if each.startswith("fullstory_assets.")}
    if name == "fullstory_assets":
        assert not ours
        return
    upward = {each for each in ours if layer_of(each) > layer_of(name)}

    assert not upward


def test_the_core_knows_nothing_of_dagster(module):
    name, tree = module
    if name == "fullstory_assets" or layer_of(name) < FIRST_DAGSTER_LAYER:
        assert not {each for each in imports(tree) if each.split(".")[0].startswith("dagster")}


def test_drivers_are_imported_where_they_are_used(module):
    _, tree = module
    top = {each.split(".")[0] for statement in at_import_time(tree) for each in imports(statement)}

    assert not top & DRIVERS


def test_modules_with_dagster_objects_keep_their_annotations(module):
    _, tree = module
    top = {each for statement in at_import_time(tree) for each in imports(statement)}
    if "dagster" in top:
        # With it Dagster cannot see an annotated context or configuration class (dagster issues 14571, 16972).
        assert "__future__" not in top


def test_the_package_itself_imports_nothing():
    assert not imports(ast.parse((PACKAGE / "__init__.py").read_text()))


def test_definitions_load_without_any_driver_and_without_any_variable(tmp_path):
    # Some packages load themselves at every start of Python; what counts is what the definitions add.
    code = "import sys; before = {*sys.modules}; import fullstory_assets.definitions; print(*{*sys.modules} - before)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {module.split(".")[0] for module in found.stdout.split()}

    assert "dagster" in loaded
    # Dagster itself brings a namespace called `google` (protobuf).
    assert not loaded & {*DRIVERS - {"google"}, "httpx", "pyarrow"}
