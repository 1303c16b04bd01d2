"""From a landed file to typed Parquet.

`inflate`, `buffer` and `landed` cut the file into records; `batches` reads many ordinary ones at once, `records` any
one exactly, with `exact_json` and `values`, which lose no digit; `event_ids` tells events apart; `arrow_columns` and
`staged` write and read the Parquet file; `staging` is the loop over all of it.
"""

from fullstory_assets.transform.staged import StagedFile, StageSummary, read_staged
from fullstory_assets.transform.staging import stage_events

__all__ = ["StageSummary", "StagedFile", "read_staged", "stage_events"]
