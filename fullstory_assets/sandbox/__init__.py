"""A fake FullStory API with made-up events, for tests, for the demo, and for trying things on.

`app.py` is the API, `events.py` and `shop/` make the events up, `replay.py` serves records of your own instead, and
`server.py` puts it all on a port. `faults/` holds what can go wrong on request, and `truth.py` says which rows are
right all the same. Any key `sandbox.<org>` is an account. Nothing here is used when you load real data. docs/sandbox.md
is the page for its users.
"""
