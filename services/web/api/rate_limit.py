"""A limit on the requests of one client in a minute. Each web process counts for itself."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

WINDOW_SECONDS: Final = 60.0
MAX_CLIENTS: Final = 10_000
"""Beyond it the clients that asked longest ago are forgotten: their next request counts as their first."""


@dataclass(slots=True)
class RateLimit:
    """At most `limit` requests a minute of each client; each request gives back what a minute ago it took."""

    limit: int
    clock: Callable[[], float] = time.monotonic
    _levels: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def seconds_to_wait(self, client: str) -> int:
        """Counts a request: 0 where it may be answered, else after how many seconds to ask again."""
        now = self.clock()
        level, seen = self._levels.pop(client, (0.0, now))
        per_second = self.limit / WINDOW_SECONDS
        level = max(0.0, level - (now - seen) * per_second)
        allowed = level + 1 <= self.limit
        self._levels[client] = (level + 1 if allowed else level, now)
        if len(self._levels) > MAX_CLIENTS:
            self._levels.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((level + 1 - self.limit) / per_second))
