"""Safe file writes: a file is replaced as a whole, and never through a link."""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
SHARED: Final = 0o666
"""Modes of a new file. As everywhere, the process's umask takes bits away."""


def write_atomically(file: Path, text: str, mode: int = PRIVATE) -> None:
    """Replace a file's content with this text (UTF-8). A crash leaves the old or the new file. Raises OSError.

    A link is replaced, not followed. The file's permissions stay; a new file gets `mode`. A device or a pipe
    (`/dev/stdout`) takes the text itself.
    """
    if _is_stream(file):
        file.write_text(text, encoding="utf-8", newline="")
        return
    name, descriptor = _open_beside(file, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            if (kept := _mode(file)) is not None:
                os.fchmod(descriptor, kept)
            os.fsync(descriptor)
        name.replace(file)
    except BaseException:
        with suppress(OSError):
            name.unlink()
        raise


def check_writable(file: Path) -> None:
    """Raise OSError if `write_atomically` could not write this file. The file itself is not touched."""
    if _is_stream(file):
        return
    name, descriptor = _open_beside(file, PRIVATE)
    os.close(descriptor)
    name.unlink()


def _open_beside(file: Path, mode: int) -> tuple[Path, int]:
    """Create a file in the same folder. A rename then replaces the other file in one step."""
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    name = file.parent / f".{file.name}.{secrets.token_hex(8)}"
    try:
        # O_EXCL follows no link, so an attacker's link is never opened.
        return name, os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None


def _is_stream(file: Path) -> bool:
    return file.exists() and not file.is_file() and not file.is_dir()


def _mode(file: Path) -> int | None:
    try:
        return None if file.is_symlink() else file.stat().st_mode & 0o777
    except FileNotFoundError:
        return None
