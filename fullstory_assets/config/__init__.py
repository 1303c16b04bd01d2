"""The configuration: what stands in `fullstory.yaml`, how it is read, checked and documented.

`settings` holds the models, `targets` the kinds of storage and warehouse, `values` the types of single settings;
`document` reads YAML with its line numbers, `file` finds the file and says everything that is wrong with it at once,
`docs` makes the table of settings that users read.
"""

from fullstory_assets.config.file import load_settings
from fullstory_assets.config.settings import Organization, Settings, api_url_for_key, sandbox_settings
from fullstory_assets.config.values import SANDBOX

__all__ = ["SANDBOX", "Organization", "Settings", "api_url_for_key", "load_settings", "sandbox_settings"]
