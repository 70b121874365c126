"""Cuts: a process of the crew kills or stops itself, at a place and not at a time.

A test asks for it by a file in the crew's folder; the first process that comes to the place takes the file and sends
itself the signal before it goes on. So nobody has to know which of two processes will get the work.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

_ASKED: Final = "cut-asked"
_MADE: Final = "cut-made-by-"
_ONWARD: Final = "cut-gone-on"


def ask(folder: Path, place: str, number: int) -> None:
    """Asks whoever first comes to `place` to send itself this signal."""
    for old in folder.glob("cut-*"):
        old.unlink()
    written = folder / "asking"
    written.write_text(f"{place} {int(number)}", "utf-8")
    written.rename(folder / _ASKED)


def made_by(folder: Path) -> int | None:
    """Which process has come to the place; None while there is none."""
    found = [int(path.name.removeprefix(_MADE)) for path in folder.glob(f"{_MADE}*")]
    return found[0] if found else None


def gone_on(folder: Path) -> bool:
    """Whether a stopped process was woken, and has done what it was stopped before."""
    return (folder / _ONWARD).exists()


def prepare(place: str, folder: Path) -> None:
    """Has this process look whether it is to be cut off whenever it comes to `place` (module:coroutine function)."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    onward = getattr(owner, name)

    async def cut_off(*args: Any, **kwargs: Any) -> Any:
        number = _taken(place, folder)
        if number is None:
            return await onward(*args, **kwargs)
        os.kill(os.getpid(), number)
        try:
            return await onward(*args, **kwargs)
        finally:
            (folder / _ONWARD).touch()

    setattr(owner, name, cut_off)


def _taken(place: str, folder: Path) -> int | None:
    """The signal asked for here, for the one process that gets hold of it."""
    asked = folder / _ASKED
    with suppress(FileNotFoundError):
        wanted, number = asked.read_text("utf-8").rsplit(" ", 1)
        if wanted == place:
            asked.rename(folder / f"{_MADE}{os.getpid()}")
            return int(number)
    return None
