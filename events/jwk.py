"""Ed25519 keys by which authorities sign their events, as JSON Web Keys (RFC 7517, RFC 8037)."""

import json
from dataclasses import dataclass
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.util import urlsafe_b64encode

from events.cloudevents import EnvelopeError, strict_json
from events.fields import canonical_authority

CURVE: Final = "Ed25519"
MAX_KEY_BYTES: Final = 4096
KEY_ID_PATTERN: Final = r"^[A-Za-z0-9_-]{43}$"
"""A key's id is its RFC 7638 thumbprint (SHA-256, base64url): whoever has the key can compute it."""


class KeyFileError(ValueError):
    """Not a key that can be used here; the message says why and never repeats the key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half of a key that anybody may have. `authority` is whom it was made for, where the file says."""

    key_id: str
    x: str
    authority: str | None = None

    def jwk(self) -> dict[str, str]:
        """The key as a JSON Web Key."""
        made_for = {"authority": self.authority} if self.authority else {}
        return {"kty": "OKP", "crv": CURVE, "x": self.x, "kid": self.key_id, "use": "sig", **made_for}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key. It has no text form but `private_jwk`, so that it gets into no log by accident."""

    public: PublicKey
    key: OKPKey

    def __repr__(self) -> str:
        return f"SigningKey({self.public.key_id})"

    def private_jwk(self) -> dict[str, str]:
        """The whole key as a JSON Web Key: keep it secret."""
        return {**self.public.jwk(), "d": str(self.key.as_dict(private=True)["d"])}


def new_key(authority: str | None = None) -> SigningKey:
    """A new key for an authority, or for the installation, from the operating system's random numbers."""
    key = OKPKey.generate_key(CURVE, private=True)
    return SigningKey(_public(key, authority), key)


def signing_key(text: bytes) -> SigningKey:
    """The private key of a JWK file. Raises KeyFileError."""
    fields = _fields(text)
    if "d" not in fields:
        raise KeyFileError("holds a public key; signing needs the private one")
    key = _key(fields)
    return SigningKey(_public(key, fields.get("authority")), key)


def public_key(text: bytes) -> PublicKey:
    """The public key of a JWK file. Raises KeyFileError, also for a private key: that one must stay at home."""
    fields = _fields(text)
    if "d" in fields:
        raise KeyFileError("holds a private key; it must not leave its owner. Give the public one")
    return _public(_key(fields), fields.get("authority"))


def verifying_key(x: str) -> OKPKey:
    """The key of a public `x` (base64url). Raises KeyFileError."""
    return _key({"kty": "OKP", "crv": CURVE, "x": x})


def _fields(text: bytes) -> dict[str, Any]:
    if len(text) > MAX_KEY_BYTES:
        raise KeyFileError(f"has more than {MAX_KEY_BYTES} bytes; expected one JSON Web Key")
    try:
        fields = strict_json(text)
    except EnvelopeError as error:
        raise KeyFileError(f"is not a JSON Web Key: {error}") from None
    if not isinstance(fields, dict) or fields.get("kty") != "OKP" or fields.get("crv") != CURVE:
        raise KeyFileError('is not an Ed25519 key as a JSON Web Key ("kty": "OKP", "crv": "Ed25519")')
    if not isinstance(fields.get("authority"), str | None):
        raise KeyFileError('"authority" is not an authority\'s code')
    return fields


def _key(fields: dict[str, Any]) -> OKPKey:
    try:
        key = OKPKey.import_key({name: fields[name] for name in ("kty", "crv", "x", "d") if name in fields})
        real = _x(key)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise KeyFileError("is not an Ed25519 key: x (and d, in a private one) must be 32 bytes in base64url") from None
    if real != fields["x"]:
        raise KeyFileError("holds a public and a private part that do not belong together")
    return key


def _public(key: OKPKey, authority: str | None) -> PublicKey:
    x = _x(key)
    owner = canonical_authority(authority) if authority else None
    return PublicKey(OKPKey.import_key({"kty": "OKP", "crv": CURVE, "x": x}).thumbprint(), x, owner)


def _x(key: OKPKey) -> str:
    """The public part as it is computed from the key, not as a file says: the library repeats what was imported."""
    return urlsafe_b64encode(key.public_key.public_bytes_raw()).decode()


def to_file_text(jwk: dict[str, str]) -> str:
    """A key as the text of a file."""
    return json.dumps(jwk, indent=2) + "\n"
