"""What boto3 raises, as `StorageError`: S3's own code and words, and whose move it is.

The codes are those of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fullstory_assets.errors import StorageError, StorageRefused

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_BUCKET = "Correct `bucket` in the section `storage` of fullstory.yaml, or make the bucket."
_KEYS = "Correct the access key and its secret where AWS finds them, and see that this machine's clock is right."
_SIGN_IN = (
    "Sign in again (such as `aws sso login`), or let the run have a role: a role's credentials are renewed by AWS."
)
_CREDENTIALS = (
    "Give the run a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in its environment."
)
_REGION = "Set `region` in the section `storage` to the bucket's"
_BUSY = "S3 is busy or in trouble for the moment: run it again; if this goes on, run fewer windows at a time."
_NETWORK = "Check network, proxy and `endpoint_url`, then run it again."
_DISK = "Check that the local file is there and that the temporary folder (TMPDIR) has room, then run it again."
_ARCHIVED = "The object was archived: restore it, and keep the bucket's lifecycle rule from archiving this prefix."

_REMEDIES = {
    "NoSuchBucket": _BUCKET,
    "InvalidBucketName": _BUCKET,
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "RequestTimeTooSkewed": _KEYS,
    "ExpiredToken": _SIGN_IN,
    "InvalidToken": _SIGN_IN,
    "TokenRefreshRequired": _SIGN_IN,
    "InvalidObjectState": _ARCHIVED,
}
_DENIED = {"AccessDenied", "AllAccessDisabled"}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_SLOW = {"SlowDown", "RequestTimeout", "OperationAborted"}
_HTTP_SERVER_ERROR = 500
_PASSES = {"", _BUSY, _NETWORK, _DISK}
"""What to do about troubles that may pass by themselves."""

_ADDRESS_USER = re.compile(r"(?<=://)[^/@\s]+@")
"""Name and password in an address, such as `endpoint_url` may have."""


@contextmanager
def refusals(doing: str, *, grants: str) -> Iterator[None]:
    """Turn what boto3, or the local disk, raises within the context into a `StorageError`.

    Args:
        doing: What is tried, such as `read s3://bucket/key`.
        grants: The rights it takes, such as `s3:GetObject on arn:aws:s3:::bucket/*`.

    Raises:
        StorageRefused: Somebody has to change something.
        StorageError: With S3's own code and words and the next step.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
        # boto3's transfers raise an error of their own while they handle that of S3, which says more.
        cause = error.__context__ if isinstance(error, Boto3Error) else None
        if isinstance(first := cause or error, ClientError):
            words, remedy = _answer(first, grants)
        else:
            words, remedy = _trouble(first)
        refused = StorageError if remedy in _PASSES else StorageRefused
        raise refused(f"Could not {doing}: {words}.", remedy=remedy) from error


def _answer(error: ClientError, grants: str) -> tuple[str, str]:
    """Return S3's code and words, and the next step."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _DENIED:
        remedy = _access(message, grants)
    elif code in _ELSEWHERE:
        remedy = _region(error)
    elif code in _SLOW or status >= _HTTP_SERVER_ERROR:
        remedy = _BUSY
    else:
        remedy = _REMEDIES.get(code, "")
    return _shown(f"{code}: {message}"), remedy


def _access(message: str, grants: str) -> str:
    if "kms:" in message:
        grants = "kms:GenerateDataKey and kms:Decrypt on the key that encrypts the bucket"
    return f"Give the user or role that runs this {grants}."


def _region(error: ClientError) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = error.response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region")
    return f"{_REGION}: {region}." if region else f"{_REGION}."


def _trouble(error: BaseException) -> tuple[str, str]:
    """Return the words and the next step when there was no answer of S3."""
    from botocore import exceptions as boto

    signing_in = (boto.SSOError, boto.TokenRetrievalError)
    credentials = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)
    # Some of boto's own are `OSError`s as well, by way of the HTTP library that it once held.
    if isinstance(error, OSError) and not isinstance(error, boto.BotoCoreError):
        about = f" ({error.filename})" if error.filename else ""
        return _shown(f"{error.strerror or error}{about}"), _DISK
    if isinstance(error, signing_in):
        remedy = _SIGN_IN
    elif isinstance(error, credentials):
        remedy = _CREDENTIALS
    elif isinstance(error, boto.ParamValidationError):
        remedy = _BUCKET if "bucket name" in str(error) else ""
    else:
        remedy = _NETWORK
    return _shown(str(error)), remedy


def _shown(words: str) -> str:
    return _ADDRESS_USER.sub("", " ".join(words.split())).rstrip(". ")
