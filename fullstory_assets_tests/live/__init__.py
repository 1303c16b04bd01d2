"""The contract of a warehouse against the real service that somebody's own `fullstory.yaml` describes."""
