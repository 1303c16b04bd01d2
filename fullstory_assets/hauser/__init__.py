"""Coming from hauser, FullStory's own exporter: what its configuration says, in ours, and how far it came.

`settings` declares every setting that a version of hauser knew, `config` reads and checks its file, `convert` says the
same in our settings, with `targets` for where the events go and `recipe` for several organizations. `report` tells what
became of each setting, `docs` makes the table of docs/from-hauser.md. `places` says where hauser keeps its progress,
`sync_file` and `sync_table` read it, `sync` says which window is therefore our first, and `starts` puts that into our
configuration. Nothing here is used once the move is done.
"""
