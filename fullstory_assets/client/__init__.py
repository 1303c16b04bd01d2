"""The FullStory API.

`api` makes the calls, `legacy` those of the old Data Export API, both over a `connection`; `answers` reads what comes
back, `refusals` turns errors into ours without a secret in them, `retry` decides what is tried again and when, `pace`
keeps to a limit, `download` fetches files.
"""

from fullstory_assets.client.api import FullStoryClient

__all__ = ["FullStoryClient"]
