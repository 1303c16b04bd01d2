"""Coming from hauser, FullStory's own exporter: what its configuration says, in ours, and how far it came.

`settings` declares every setting that a version of hauser knew, `config` reads and checks its file, `convert` says the
same in our settings, with `targets` for where the events go and `recipe` for several organizations. `report` tells what
became of each setting, `docs` makes the table of docs/from-hauser.md, `sync` reads hauser's progress. Nothing here is
used once the move is done.
"""
