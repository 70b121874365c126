"""Limits on the requests of one client. Each web process counts for itself."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from starlette.exceptions import HTTPException

MINUTE: Final = 60.0
HOUR: Final = 3600.0
MAX_CLIENTS: Final = 10_000
"""Beyond this number, the clients that asked longest ago are forgotten: their next request counts as their first."""


@dataclass(slots=True)
class RateLimit:
    """A bucket of `limit` requests for each client, which refills evenly over the window.

    So a client can make at most twice the limit in one window.
    """

    limit: int
    window_seconds: float
    clock: Callable[[], float] = time.monotonic
    _levels: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def seconds_to_wait(self, client: str) -> int:
        """Count a request. Return 0 if it may be answered, else the seconds after which the client may ask again."""
        now = self.clock()
        level, seen = self._levels.pop(client, (0.0, now))
        per_second = self.limit / self.window_seconds
        level = max(0.0, level - (now - seen) * per_second)
        allowed = level + 1 <= self.limit
        self._levels[client] = (level + 1 if allowed else level, now)
        if len(self._levels) > MAX_CLIENTS:
            self._levels.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((level + 1 - self.limit) / per_second))

    def require(self, request: Request) -> None:
        """Count a request of its address. Raise 429 with the seconds to wait if it is one too many."""
        wait = self.seconds_to_wait(client_address(request))
        if wait:
            raise HTTPException(429, headers={"Retry-After": str(wait)})


def client_address(request: Request) -> str:
    """The address that a request comes from; empty if the server does not know it."""
    return request.client.host if request.client else ""
