"""`python -m fullstory_assets.cli`, the same as `fullstory-assets`."""

from fullstory_assets.cli import main

main()
