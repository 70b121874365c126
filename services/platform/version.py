"""The version of Jointly."""

from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


@cache
def version() -> str:
    """Return the version of the installed distribution; "unknown" if it runs from a folder without installation."""
    try:
        return installed("jointly")
    except PackageNotFoundError:
        return "unknown"
