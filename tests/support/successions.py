"""An installation's own successions, in effect for a test."""

from collections.abc import Iterator
from contextlib import contextmanager

from matching import successions
from matching.successions import Succession


@contextmanager
def in_effect(*own: Succession) -> Iterator[None]:
    """Puts successions into effect, and takes them out again."""
    successions.use(own)
    try:
        yield
    finally:
        successions.use(())
