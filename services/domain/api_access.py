"""The scopes and tokens of the read interface. Pure."""

import hashlib
import secrets
from enum import StrEnum
from typing import Final

MARK: Final = "jly_"
"""The beginning of every token: scanners for leaked secrets know them by it."""

SHOWN_CHARACTERS: Final = 10
"""Length of the prefix shown: enough to tell tokens apart, far too little to guess the rest."""


class Scope(StrEnum):
    """One list that a token may read. `calendar` is the scope of a calendar address."""

    PLANS = "plans"
    OPPORTUNITIES = "opportunities"
    COALITIONS = "coalitions"
    DEADLINES = "deadlines"
    CALENDAR = "calendar"


READ_SCOPES: Final = (Scope.PLANS, Scope.OPPORTUNITIES, Scope.COALITIONS, Scope.DEADLINES)
"""The scopes of a token unless others are chosen."""


def new_token() -> str:
    """Create an unguessable token from 32 random bytes."""
    return MARK + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """The hash that is stored instead of the token. It needs no salt, because the token is random."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_prefix(token: str) -> str:
    """The prefix by which pages and commands show a token."""
    return token[:SHOWN_CHARACTERS]
