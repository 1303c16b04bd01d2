"""What the claim "nothing is lost and nothing is doubled" rests on: faults, crashes, broken files and full disks.

Ordinary tests, each of which also counts what it has tried and compared. `python -m fullstory_assets_tests.reliability`
runs them and prints the sums; `make reliability` writes them into `docs/reliability.md`.
"""
