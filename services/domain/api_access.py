"""What a token of the read interface may read. Pure."""

import hashlib
import secrets
from enum import StrEnum
from typing import Final

MARK: Final = "jly_"
"""The beginning of every token: scanners for leaked secrets know them by it."""

SHOWN_CHARACTERS: Final = 10
"""How much of a token its prefix shows: enough to tell tokens apart, far too little to guess the rest."""


class Scope(StrEnum):
    """One list that a token may read. `calendar` is that of a calendar address alone."""

    PLANS = "plans"
    OPPORTUNITIES = "opportunities"
    COALITIONS = "coalitions"
    DEADLINES = "deadlines"
    CALENDAR = "calendar"


READ_SCOPES: Final = (Scope.PLANS, Scope.OPPORTUNITIES, Scope.COALITIONS, Scope.DEADLINES)
"""What a token reads where nothing else is said."""


def new_token() -> str:
    """A token that nobody can guess: 32 random bytes."""
    return MARK + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored of a token. Without a salt: it is random, so there is nothing to guess from."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_prefix(token: str) -> str:
    """What is shown of a token."""
    return token[:SHOWN_CHARACTERS]
