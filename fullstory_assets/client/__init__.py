"""The FullStory API.

`api` makes the calls, `answers` reads what comes back, `refusals` turns errors into ours without a secret in them,
`retry` decides what is tried again and when, `download` fetches signed links.
"""

from fullstory_assets.client.api import FullStoryClient

__all__ = ["FullStoryClient"]
