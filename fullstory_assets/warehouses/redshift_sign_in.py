"""Signing in to Redshift without a password of its own: AWS gives one that lasts for some minutes.

Whoever runs this needs `redshift:GetClusterCredentials`, or `redshift-serverless:GetCredentials`
(https://docs.aws.amazon.com/redshift/latest/mgmt/generating-user-credentials.html).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fullstory_assets.errors import WarehouseError, WarehouseUnreachable
from fullstory_assets.extras import load_extra

_ATTEMPTS = 5
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_REGION = re.compile(r"\.([a-z0-9-]+)\.redshift(?:-serverless)?\.amazonaws\.com(?:\.cn)?$")
_REMEDY = (
    "Give the user or role that runs this {action} on it; correct `cluster` or `workgroup`, the name in AWS and no "
    "address; docs/redshift.md shows the policy."
)


class SignIn(NamedTuple):
    """A user of the database and the password it has for now."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"SignIn(user={self.user!r})"


def cluster_sign_in(cluster: str, *, user: str, database: str, host: str) -> SignIn:
    """Return a password for a user that the database of a cluster knows.

    Args:
        cluster: The cluster's identifier.
        user: The user.
        database: Name of the database.
        host: The cluster's address, in which its region stands.

    Raises:
        MissingPackage: boto3 is not installed.
        WarehouseError: AWS refused.
        WarehouseUnreachable: AWS did not answer.
    """
    about = {"ClusterIdentifier": cluster, "DbUser": user, "DbName": database}
    answer = _ask("redshift", "get_cluster_credentials", host, about)
    return SignIn(answer["DbUser"], answer["DbPassword"])


def workgroup_sign_in(workgroup: str, *, database: str, host: str) -> SignIn:
    """Return the user of the role that runs this, in a workgroup of Redshift Serverless, and a password for it.

    Args:
        workgroup: The workgroup's name.
        database: Name of the database.
        host: The workgroup's address, in which its region stands.

    Raises:
        MissingPackage: boto3 is not installed.
        WarehouseError: AWS refused.
        WarehouseUnreachable: AWS did not answer.
    """
    answer = _ask("redshift-serverless", "get_credentials", host, {"workgroupName": workgroup, "dbName": database})
    return SignIn(answer["dbUser"], answer["dbPassword"])


def _ask(service: str, method: str, host: str, about: dict[str, str]) -> dict[str, str]:
    session = load_extra("boto3.session", extra="redshift")
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
    )
    region = _REGION.search(host)
    try:
        client = session.Session().client(service, region_name=region[1] if region else None, config=config)
        return getattr(client, method)(**about)
    except ClientError as error:
        code, message = (str(error.response["Error"].get(part, "")) for part in ("Code", "Message"))
        action = f"{service}:{''.join(map(str.capitalize, method.split('_')))}"
        raise WarehouseError(
            f"AWS gave no password for Redshift: {code}: {message.rstrip('.')}.", remedy=_REMEDY.format(action=action)
        ) from error
    except BotoCoreError as error:
        raise WarehouseUnreachable(
            f"AWS gave no password for Redshift: {str(error).rstrip('.')}.",
            remedy="Check the run's AWS credentials, its region, network and proxy, then run it again.",
        ) from error
