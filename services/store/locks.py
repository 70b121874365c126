"""The advisory locks of the database, all in one place: no number stands for two things."""

from typing import Final

MIGRATE: Final = 7400
RELAY: Final = 7401
"""A class of locks: one for each slice of the outbox."""
SWEEP: Final = 7402
REBUILD: Final = 7403
MOVE_VECTORS: Final = 7404
