"""One clock for a test and all the processes that it forks: the real one, moved to where the test wants it."""

import mmap
import struct
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from services.platform.clock import CLOCK, system_time

_SECONDS: Final = struct.Struct("d")


class ShiftedClock:
    """Runs as fast as the real one. How far it is moved stands in a file that all processes map."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(_SECONDS.pack(0.0))
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _SECONDS.size)

    def now(self) -> datetime:
        """The time by this clock, in UTC."""
        (seconds,) = _SECONDS.unpack(self._shared)
        return system_time() + timedelta(seconds=seconds)

    def move_to(self, moment: datetime) -> None:
        """It is this moment now, in every process that follows the clock."""
        self._shared[:] = _SECONDS.pack((moment - system_time()).total_seconds())


def follow(file: Path) -> None:
    """Have this process take its time from the clock in a file, until it ends."""
    CLOCK.read = ShiftedClock(file).now
