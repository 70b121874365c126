"""Safe file writes: a file is replaced as a whole, and never through a link."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

DEFAULT_MODE: Final = 0o600


def write_atomically(file: Path, text: str) -> None:
    """Replace a file's content with this text (UTF-8). A crash leaves the old or the new file. Raises OSError.

    A link is replaced, not followed. The file's permissions stay; a new file is readable by its owner alone.
    """
    mode = _mode(file)
    # mkstemp picks an unused name and opens it exclusively, so an attacker's link is never opened.
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(name).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _mode(file: Path) -> int:
    try:
        return DEFAULT_MODE if file.is_symlink() else file.stat().st_mode & 0o777
    except FileNotFoundError:
        return DEFAULT_MODE
