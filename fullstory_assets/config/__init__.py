"""The configuration: what stands in `fullstory.yaml`, how it is read, checked and documented.

`settings` holds the models, `targets` the kinds of storage and warehouse, `values` the types of single settings;
`document` reads YAML with its line numbers, `keys_file` the keys of many organizations, `keyed` and `organizations` put
them and `defaults` into the list of organizations, `file` finds the file and says everything that is wrong with it at
once, `docs` makes the table of settings that users read.
"""

from fullstory_assets.config.addresses import api_url_for_key
from fullstory_assets.config.file import load_settings
from fullstory_assets.config.sandbox import sandbox_settings
from fullstory_assets.config.settings import Organization, Settings
from fullstory_assets.config.values import SANDBOX

__all__ = ["SANDBOX", "Organization", "Settings", "api_url_for_key", "load_settings", "sandbox_settings"]
