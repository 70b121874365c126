"""A limit on the requests of one address in an hour. Each web process counts for itself."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from starlette.exceptions import HTTPException

MAX_ADDRESSES: Final = 10_000
HOUR: Final = 3600.0


@dataclass(slots=True)
class RateLimit:
    """At most `limit` times an hour for each address."""

    limit: int
    clock: Callable[[], float] = time.monotonic
    _times: dict[str, deque[float]] = field(default_factory=dict)

    def require(self, request: Request) -> None:
        """Counts one request. Raises 429 with the seconds to wait."""
        address, now = request.client.host if request.client else "", self.clock()
        if len(self._times) >= MAX_ADDRESSES:
            self._times = {key: times for key, times in self._times.items() if times[-1] > now - HOUR}
        times = self._times.setdefault(address, deque(maxlen=self.limit))
        if len(times) == self.limit and times[0] > now - HOUR:
            raise HTTPException(429, headers={"Retry-After": str(int(times[0] + HOUR - now) + 1)})
        times.append(now)
