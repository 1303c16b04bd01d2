"""Put the extensions of DuckDB that local-bigquery loads into $HOME; `make test-servers` runs it once."""

from duckdb_extensions import import_extension  # pyright: ignore[reportMissingImports] - of the emulator's environment

for extension in ("ducklake", "httpfs", "icu", "spatial"):
    import_extension(extension)
