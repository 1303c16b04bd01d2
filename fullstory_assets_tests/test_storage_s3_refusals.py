import socket
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fullstory_assets.errors import ErrorKind, MissingPackage, StorageError, kind_of
from fullstory_assets.storage.s3 import S3Storage, client_config
from fullstory_assets.storage.s3_refusals import refusals
from fullstory_assets_tests.contracts.storage import KEY
from fullstory_assets_tests.s3_server import KEYS, PREFIX, Fault, Proxy, refusal, s3_client, verbs

pytest_plugins = ["fullstory_assets_tests.s3_fixtures"]
pytestmark = pytest.mark.usefixtures("no_aws_settings")

DENIED = refusal(403, "AccessDenied", "Access Denied")


def refusals_of(storage: S3Storage, source: Path, *, kind: ErrorKind | None = None) -> dict[str, str]:
    """Return each verb's text; all have to be refused."""
    texts = {}
    for name, verb in verbs(storage, source).items():
        with pytest.raises(StorageError) as caught:
            verb()
        assert kind in (None, kind_of(caught.value)), name
        texts[name] = str(caught.value)
        assert str(storage.uri(KEY) if name != "keys" else storage.uri("k")[:-1]) in texts[name]
    return texts


def test_missing_bucket_is_told_by_every_verb(s3: Any, source: Path):
    for text in refusals_of(S3Storage(s3, f"no-such-bucket-{uuid4().hex}"), source, kind="terminal").values():
        assert ": NoSuchBucket: The specified bucket does not exist. Correct `bucket`" in text


def test_name_that_no_bucket_may_have_is_told_by_every_verb(s3: Any, source: Path):
    for text in refusals_of(S3Storage(s3, "not a bucket"), source, kind="terminal").values():
        assert 'Invalid bucket name "not a bucket"' in text
        assert "Correct `bucket`" in text


def test_denied_access_names_the_action_and_the_objects(before_s3: Proxy, hasty: S3Storage, source: Path):
    before_s3.faults.append(Fault("/", times=100, answer=DENIED))
    objects, bucket = f"arn:aws:s3:::{hasty.bucket}/{PREFIX}/*", f"arn:aws:s3:::{hasty.bucket}"
    # What is not there is denied as well, to whoever may not list.
    reading = f"s3:GetObject on {objects}, and s3:ListBucket on {bucket}, without which S3 denies what is not there."
    expected = {
        "write_file": f"s3:PutObject and s3:AbortMultipartUpload on {objects}.",
        "write_bytes": f"s3:PutObject on {objects}.",
        "read_bytes": reading,
        "fetch": reading,
        "size": reading,
        "delete": f"s3:DeleteObject on {objects}.",
        "keys": f"s3:ListBucket on {bucket}.",
    }
    for verb, text in refusals_of(hasty, source, kind="terminal").items():
        assert text.endswith(f": AccessDenied: Access Denied. Give the user or role that runs this {expected[verb]}")


def test_resources_are_named_as_in_the_bucket_s_partition():
    from botocore.exceptions import ClientError

    error = ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "GetObject")
    china = S3Storage(s3_client(1, region="cn-north-1"), "bucket")
    with pytest.raises(StorageError, match=r"s3:GetObject on arn:aws-cn:s3:::bucket/\*"):
        raise_within(china, error)


def raise_within(storage: S3Storage, error: Exception) -> None:
    storage.client.meta.events.register("before-call.s3", lambda **_: (_ for _ in ()).throw(error))
    storage.read_bytes(KEY)


KMS = "User: arn:aws:iam::1:user/a is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:::key/b"
IN_IRELAND = "x-amz-bucket-region: eu-west-1\r\n"

REFUSALS = [
    (
        refusal(403, "AccessDenied", KMS),
        f"AccessDenied: {KMS}. Give the user or role that runs this kms:GenerateDataKey",
    ),
    (refusal(400, "ExpiredToken", "It has expired."), "ExpiredToken: It has expired. Sign in again"),
    (refusal(403, "InvalidAccessKeyId", "No record."), "InvalidAccessKeyId: No record. Correct the access key"),
    (refusal(403, "SignatureDoesNotMatch", "No match."), "SignatureDoesNotMatch: No match. Correct the access key"),
    (refusal(403, "RequestTimeTooSkewed", "Too large."), "RequestTimeTooSkewed: Too large. Correct the access key"),
    (
        refusal(301, "PermanentRedirect", headers=IN_IRELAND),
        "Set `region` in the section `storage` to the bucket's: eu-west-1.",
    ),
    (
        refusal(400, "AuthorizationHeaderMalformed", more="<Region>eu-west-1</Region>"),
        "Set `region` in the section `storage` to the bucket's: eu-west-1.",
    ),
    (refusal(400, "IllegalLocationConstraintException"), "Set `region` in the section `storage` to the bucket's."),
    (refusal(503, "SlowDown", "Please reduce."), "SlowDown: Please reduce. S3 is busy"),
    (refusal(500, "InternalError"), "InternalError: Its own words. S3 is busy"),
    (
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>",
        "502: Bad Gateway. S3 is busy",
    ),
    (b"HTTP/1.1 407 No\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>", "407: "),
    (refusal(403, "InvalidObjectState"), "InvalidObjectState: Its own words. The object was archived"),
    (refusal(400, "Whatever"), "Whatever: Its own words. Check that the storage is reachable"),
]


@pytest.mark.parametrize(("answer", "expected"), REFUSALS)
def test_refusal_comes_with_the_words_of_s3_and_a_remedy(
    before_s3: Proxy, hasty: S3Storage, source: Path, answer: bytes, expected: str
):
    before_s3.faults.append(Fault("/", times=100, answer=answer))
    for verb, text in refusals_of(hasty, source).items():
        assert expected in text, verb


def test_trouble_of_s3_is_tried_again(before_s3: Proxy, troubled: S3Storage):
    before_s3.faults.append(Fault("/", times=4, answer=refusal(500, "InternalError")))
    troubled.write_bytes(KEY, b"it")
    assert len(before_s3.asked) == 5


def test_denied_access_is_not_tried_again(before_s3: Proxy, troubled: S3Storage):
    before_s3.faults.append(Fault("/", times=9, answer=DENIED))
    with pytest.raises(StorageError):
        troubled.write_bytes(KEY, b"it")
    assert len(before_s3.asked) == 1


def test_refused_connection_is_told_by_every_verb(source: Path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        storage = S3Storage(s3_client(unused.getsockname()[1], attempts=1), "bucket")
        for text in refusals_of(storage, source, kind="retryable").values():
            assert "Could not connect to the endpoint URL" in text
            assert "Check network, proxy and `endpoint_url`" in text


def test_want_of_credentials_is_told_by_every_verb(s3_port: int, source: Path):
    for text in refusals_of(S3Storage(s3_client(s3_port, keys={}), "bucket"), source, kind="terminal").values():
        assert "Unable to locate credentials. Give the run a role, or set AWS_PROFILE" in text


def test_expired_sign_in_is_told():
    from botocore.exceptions import TokenRetrievalError, UnauthorizedSSOTokenError

    for error in (UnauthorizedSSOTokenError(), TokenRetrievalError(provider="sso", error_msg="Token has expired")):
        with pytest.raises(StorageError, match=r"expired.* Sign in again"), refusals("read it", grants=""):
            raise error


def test_no_text_holds_a_credential(before_s3: Proxy, bucket: str, source: Path):
    token = "FwoGZXIvYXdzEXAMPLETOKEN"
    client = s3_client(before_s3.port, attempts=1, user="name:password@", keys=KEYS | {"aws_session_token": token})
    echo = f"<AWSAccessKeyId>{KEYS['aws_access_key_id']}</AWSAccessKeyId><Token-0>{token}</Token-0>"
    texts = []
    for fault in (
        Fault("/", times=100, answer=refusal(403, "SignatureDoesNotMatch", more=echo)),
        Fault("/", times=100, answer=refusal(400, "ExpiredToken", more=echo)),
        Fault("/", times=100, cut_request=0),
    ):
        before_s3.faults = [fault]
        texts += refusals_of(S3Storage(client, bucket), source).values()
    secrets = [*KEYS.values(), token, "name:password", "X-Amz-Signature"]
    assert [text for text in texts if any(secret in text for secret in secrets)] == []
    assert any("http://127.0.0.1" in text for text in texts)


def test_client_of_dagsters_resource_serves(s3_port: int, bucket: str):
    from dagster_aws.s3 import S3Resource

    made = S3Resource(endpoint_url=f"http://127.0.0.1:{s3_port}", region_name="us-east-1", **KEYS)
    storage = S3Storage(made.get_client(), bucket, PREFIX)
    storage.write_bytes(KEY, b"it")
    assert storage.read_bytes(KEY) == b"it"


def test_missing_boto3_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    with pytest.raises(MissingPackage, match=r"botocore is not installed.* pip install 'fullstory-assets\[aws\]'"):
        client_config()
