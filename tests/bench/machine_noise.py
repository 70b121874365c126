"""What the machine gives at the moment: its cores are shared with others, and with each other."""

import subprocess
import sys

_LOOP = """
import time
begun, total = time.perf_counter(), 0
for number in range(3_000_000):
    total += number * number
print(time.perf_counter() - begun)
"""


def loops() -> dict[str, float]:
    """Seconds for a fixed sum in one process by itself, and the slower one's of two at once: on two cores of their own
    both are the same."""
    return {"one_loop_s": _slowest(1), "two_loops_s": _slowest(2)}


def _slowest(processes: int) -> float:
    running = [subprocess.Popen([sys.executable, "-c", _LOOP], stdout=subprocess.PIPE) for _ in range(processes)]
    return round(max(float(process.communicate()[0]) for process in running), 3)
