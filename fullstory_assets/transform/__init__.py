"""From a landed file to typed Parquet.

`landed` cuts the file into records, `exact_json` and `values` read what is in one without losing a digit, `records`
makes a row of it, `arrow_columns` and `staged` write and read the Parquet file, `staging` is the loop over all of it.
"""

from fullstory_assets.transform.staged import StagedFile, StageSummary, read_staged
from fullstory_assets.transform.staging import stage_events

__all__ = ["StageSummary", "StagedFile", "read_staged", "stage_events"]
