"""local-bigquery 0.3.2; runs in the environment that `make test-servers` makes, with Python 3.13."""

import sys

from local_bigquery.cli import main  # pyright: ignore[reportMissingImports] - of the emulator's environment

if __name__ == "__main__":
    sys.exit(main())
