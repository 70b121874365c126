"""Which version of Jointly this is."""

from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


@cache
def version() -> str:
    """The version of the installed distribution; "unknown" where it runs from a folder that was never installed."""
    try:
        return installed("jointly")
    except PackageNotFoundError:
        return "unknown"
