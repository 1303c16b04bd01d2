"""The invented shop whose visitors' events the sandbox serves: its pages, its people, and what they do.

Everything is drawn from seeded `Dice`, never from the clock, so that it comes out the same wherever and whenever.
"""
