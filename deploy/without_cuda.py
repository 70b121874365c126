"""Prints a lock in which another build of PyTorch stands in for the locked one: `without_cuda.py LOCK TORCH`.

TORCH is one line of a requirements file with its hashes, `torch==2.15.0+cpu --hash=sha256:...`. What only CUDA builds
of PyTorch need leaves the lock with the locked build. pip still refuses whatever has no hash: should TORCH be a build
with CUDA after all, the installation fails and says what it misses.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CUDA: Final = re.compile(r"(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==")


def entries(lock: str) -> Iterator[str]:
    """Each requirement with the lines that belong to it: its hashes, and the comment that says who needs it."""
    entry = ""
    for line in lock.splitlines(keepends=True):
        if entry and not line.startswith((" ", "#")):
            yield entry
            entry = ""
        entry += line
    if entry:
        yield entry


def without_cuda(lock: str, torch: str) -> str:
    """The lock with `torch` instead of PyTorch and its CUDA libraries. Raises ValueError without version and hash."""
    if not re.fullmatch(r"torch==[\w.+]+( --hash=sha256:[0-9a-f]{64})+", torch):
        raise ValueError(f"TORCH is '{torch}'; expected 'torch==VERSION --hash=sha256:...' as pip reads it")
    return "".join(entry for entry in entries(lock) if not CUDA.match(entry)) + torch + "\n"


if __name__ == "__main__":
    lock_file, chosen = sys.argv[1:]
    try:
        sys.stdout.write(without_cuda(Path(lock_file).read_text("utf-8"), chosen))
    except ValueError as error:
        sys.exit(str(error))
