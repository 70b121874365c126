"""Councils by what people call them."""

from matching.reference import authority as known_authority
from matching.reference import authority_names


def find_code(council: str) -> str | None:
    """The code of a council by its name, or by the code itself; None where nothing knows it."""
    found = known_authority(council.upper()) or authority_names.identify(council)
    return found.code if found is not None else None
