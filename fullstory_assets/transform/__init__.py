"""From a landed file to typed Parquet.

`inflate`, `buffer` and `landed` cut the file into records; `ordinary` reads nearly all of them, `records` any one
exactly, with `exact_json` and `values`, which lose no digit; `event_ids` tells events apart; `batches` and
`arrow_columns` make columns of them, which `staged` writes to the Parquet file; `staging` is the loop over all of it.
"""

from fullstory_assets.transform.staged import StagedFile, StageSummary, read_staged
from fullstory_assets.transform.staging import stage_events

__all__ = ["StageSummary", "StagedFile", "read_staged", "stage_events"]
