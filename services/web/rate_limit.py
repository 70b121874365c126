"""Limits on the requests of one client. Each web process counts for itself."""

import math
import time
from collections import OrderedDict, deque
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
    """At most `limit` answered requests of each client in any stretch of `window_seconds`."""

    limit: int
    window_seconds: float
    clock: Callable[[], float] = time.monotonic
    _answered: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)
    """When each client's last requests were answered, no more than `limit` of them."""

    def seconds_to_wait(self, client: str) -> int:
        """Count a request. Return 0 if it may be answered, else the seconds after which the client may ask again."""
        now = self.clock()
        answered = self._answered.pop(client, None) or deque(maxlen=self.limit)
        self._answered[client] = answered
        if len(self._answered) > MAX_CLIENTS:
            self._answered.popitem(last=False)
        wait = answered[0] + self.window_seconds - now if len(answered) == self.limit else 0.0
        if wait > 0:
            return max(1, math.ceil(wait))
        answered.append(now)
        return 0

    def require(self, request: Request) -> None:
        """Count a request of its address. Raise 429 with the seconds to wait if it is one too many."""
        wait = self.seconds_to_wait(client_address(request))
        if wait:
            raise HTTPException(429, headers={"Retry-After": str(wait)})


def client_address(request: Request) -> str:
    """The address that a request comes from; empty if the server does not know it."""
    return request.client.host if request.client else ""
