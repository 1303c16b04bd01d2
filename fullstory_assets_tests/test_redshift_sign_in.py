"""The ways into Redshift: which may stand in `fullstory.yaml`, and what AWS says to them."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import dagster as dg
import pytest

from fullstory_assets.config.warehouses import RedshiftSettings
from fullstory_assets.errors import WarehouseError, WarehouseUnreachable
from fullstory_assets.resources.storages import LocalStorageResource
from fullstory_assets.resources.warehouses import warehouse_resource
from fullstory_assets.warehouses.redshift_sign_in import cluster_sign_in, workgroup_sign_in
from fullstory_assets_tests.config_text import ACME, complaints, load
from fullstory_assets_tests.s3_server import KEYS

pytest_plugins = ["fullstory_assets_tests.s3_fixtures", "fullstory_assets_tests.redshift_fixtures"]

HERE = f"{ACME}storage: {{kind: s3, bucket: acme}}\nwarehouse:\n  kind: redshift\n  host: h\n  database: d\n"


@pytest.mark.parametrize("way", ["user: u", "user: u\n  password_env: P", "user: u\n  cluster: c", "workgroup: w"])
def test_ways_of_signing_in(tmp_path, way: str):
    assert load(tmp_path, f"{HERE}  {way}").warehouse.reads_from == "s3"


@pytest.mark.parametrize(
    ("way", "complaint"),
    [
        ("cluster: c", "warehouse: `user` is missing, or `workgroup`"),
        ("workgroup: w\n  user: u", "warehouse: `user` cannot stand beside `workgroup`"),
        ("user: u\n  cluster: c\n  workgroup: w", "warehouse.workgroup: cannot stand beside `cluster`"),
        ("user: u\n  cluster: c\n  password_env: P", "warehouse.password_env: cannot stand beside `cluster`"),
        ("workgroup: w\n  password_env: P", "warehouse.password_env: cannot stand beside `workgroup`"),
        (
            "user: u\n  cluster: c.redshift.amazonaws.com",
            "warehouse.cluster: 'c.redshift.amazonaws.com' is not",
        ),
        ("user: u\n  iam_role: copy", "warehouse.iam_role: 'copy' is not allowed: the role's ARN, such as"),
        ("user: u\n  varchar_max: 70000", "warehouse.varchar_max: "),
    ],
)
def test_what_does_not_go_together(tmp_path, way: str, complaint: str):
    found = complaints(tmp_path, f"{HERE}  {way}")
    assert any(complaint in line for line in found), found


def test_redshift_wants_s3(tmp_path):
    found = complaints(tmp_path, f"{ACME}warehouse: {{kind: redshift, host: h, database: d, user: u}}")
    assert found == ["fullstory.yaml:4: warehouse: redshift loads files from s3; set `kind` of storage to that"]


class Aws(BaseHTTPRequestHandler):
    """Answers one request as Redshift Serverless would: with a password, or that it gives none."""

    allowed = True
    asked: dict[str, str]

    def do_POST(self) -> None:
        type(self).asked = {"target": self.headers["X-Amz-Target"], "by": self.headers["Authorization"]}
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"dbUser": "IAMR:loader", "dbPassword": "a secret"}'
        if not self.allowed:
            body = b'{"__type": "AccessDeniedException", "message": "User is not authorized to perform it"}'
        self.send_response(200 if self.allowed else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's name)
        pass


@pytest.fixture
def aws(no_aws_settings, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    handler = type("Handler", (Aws,), {})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield handler
        server.shutdown()
        thread.join()


HOST = "acme.123456789012.eu-west-1.redshift-serverless.amazonaws.com"


def test_a_workgroup_is_signed_in_to_by_the_runs_own_credentials(aws, database, redshift, tmp_path: Path):
    redshift.execute("postgres", 'DROP ROLE IF EXISTS "IAMR:loader"')
    redshift.execute("postgres", 'CREATE ROLE "IAMR:loader" LOGIN')
    redshift.passwords["IAMR:loader"] = "a secret"
    settings = RedshiftSettings.model_validate({
        "host": "127.0.0.1", "port": redshift.port, "database": database.address["dbname"], "workgroup": "acme",
        "sslmode": "prefer",
    })  # fmt: skip
    resource = warehouse_resource(settings, LocalStorageResource(path=str(tmp_path)))
    with dg.build_resources({"warehouse": resource}) as resources:
        # The server's address says no region.
        with pytest.raises(WarehouseUnreachable, match=r"specify a region.*Check the run's AWS credentials"):
            resources.warehouse.check()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
            assert resources.warehouse.check().startswith("Redshift 1.0")
    assert redshift.users == ["IAMR:loader"]
    assert "secret" not in "".join(redshift.statements)
    assert aws.asked["target"] == "RedshiftServerless.GetCredentials"


def test_the_region_is_read_from_the_address_and_no_secret_is_shown(aws):
    signed_in = workgroup_sign_in("acme", database="analytics", host=HOST)
    assert signed_in == ("IAMR:loader", "a secret")
    assert "secret" not in repr(signed_in)
    assert "/eu-west-1/redshift-serverless/" in aws.asked["by"]


def test_aws_may_refuse(aws):
    aws.allowed = False
    with pytest.raises(
        WarehouseError, match=r"AccessDeniedException: User is .*\. Give .* redshift-serverless:GetCredentials on it"
    ):
        workgroup_sign_in("acme", database="analytics", host=HOST)


def test_a_user_of_a_cluster_gets_a_password_from_aws(no_aws_settings, s3_port: int, monkeypatch):
    from boto3.session import Session

    for name, value in {**KEYS, "aws_endpoint_url": f"http://127.0.0.1:{s3_port}"}.items():
        monkeypatch.setenv(name.upper(), value)
    client = Session().client("redshift", region_name="eu-west-1")
    with pytest.raises(WarehouseError, match=r"ClusterNotFound.*redshift:GetClusterCredentials on it"):
        cluster_sign_in("nowhere", user="u", database="d", host="nowhere.abc.eu-west-1.redshift.amazonaws.com")
    client.create_cluster(
        ClusterIdentifier="acme", NodeType="ra3.large", MasterUsername="u", MasterUserPassword="Aa345678"
    )
    user, password = cluster_sign_in(
        "acme", user="fullstory", database="d", host="acme.abc.eu-west-1.redshift.amazonaws.com"
    )
    assert user == "IAM:fullstory"
    assert len(password) > 8
