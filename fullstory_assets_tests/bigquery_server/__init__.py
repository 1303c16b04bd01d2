"""BigQuery on this machine: local-bigquery in an environment of its own, which `make test-servers` installs."""

from fullstory_assets_tests.bigquery_server.server import INSTALLED, MISSING, BigQueryServer

__all__ = ["INSTALLED", "MISSING", "BigQueryServer"]
