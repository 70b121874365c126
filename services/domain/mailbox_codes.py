"""Six-digit codes that prove access to a mailbox, for signing in and for changing it. Pure but for randomness."""

import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Final

CODE_LIFETIME: Final = timedelta(minutes=15)
MAX_TRIES: Final = 5
MAX_CODES_AN_HOUR: Final = 5


def new_code() -> str:
    """Six digits."""
    return f"{secrets.randbelow(1_000_000):06}"


def code_hash(key: str, salt: str, code: str) -> str:
    """The hash stored instead of a code. `salt`: what the code is for. Without `key` nobody can try all codes."""
    return hmac.new(key.encode(), f"{salt}\n{code}".encode(), sha256).hexdigest()


def is_code(keys: Sequence[str], salt: str, code: str, stored: str) -> bool:
    """Whether this code was stored, under any of the keys."""
    return any(hmac.compare_digest(stored, code_hash(key, salt, code)) for key in keys)
