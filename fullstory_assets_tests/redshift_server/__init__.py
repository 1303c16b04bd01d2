"""Amazon Redshift for the tests: PostgreSQL behind a proxy that does COPY from S3 and refuses what Redshift refuses.

There is no Redshift to run here, and PostgreSQL is the more generous of the two: it has more types and functions,
counts a text's characters and not its bytes, and keeps capitals. So `statements.py` knows what Redshift has no word
for, `copy_options.py` and `copy_files.py` are COPY from S3 as its documentation tells it, `session.py` passes the rest
on, and `server.py` starts all of it. Every statement is kept, for tests to look through.

Transactions are serializable, as in a Redshift database with that isolation level, and a conflict is told in its words.
What real Redshift does may differ: nothing here was compared with one.
"""

from fullstory_assets_tests.redshift_server.server import RedshiftServer

__all__ = ["RedshiftServer"]
