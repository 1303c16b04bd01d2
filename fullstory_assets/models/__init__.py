"""The tables that an analyst asks for, made from the events: sessions, pages, users, devices.

`declared` says which there are and what each column means; the `.sql` files beside it, one SELECT each, say how they
are made, in the words that `dialects` knows for each engine; `source` reads the events table whoever made it; `update`
brings all of it up to date, window by window, and always equal to making it anew.
"""
