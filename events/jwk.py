"""Ed25519 keys with which authorities sign their events, as JSON Web Keys (RFC 7517, RFC 8037)."""

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
"""Return the key's id, its RFC 7638 thumbprint (SHA-256, base64url): anybody with the key can compute it."""


class KeyFileError(ValueError):
    """Not a usable key; the message gives the reason and never repeats the key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a key. `authority` is the authority it was made for, if the file says so."""

    key_id: str
    x: str
    authority: str | None = None

    def jwk(self) -> dict[str, str]:
        """Return the key as a JSON Web Key."""
        made_for = {"authority": self.authority} if self.authority else {}
        return {"kty": "OKP", "crv": CURVE, "x": self.x, "kid": self.key_id, "use": "sig", **made_for}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key. Its only text form is `private_jwk`, so that it reaches no log by accident."""

    public: PublicKey
    key: OKPKey

    def __repr__(self) -> str:
        return f"SigningKey({self.public.key_id})"

    def private_jwk(self) -> dict[str, str]:
        """Return the whole key as a JSON Web Key: keep it secret."""
        return {**self.public.jwk(), "d": str(self.key.as_dict(private=True)["d"])}


def new_key(authority: str | None = None) -> SigningKey:
    """Generate a key for an authority, or for the installation, from the operating system's random numbers."""
    key = OKPKey.generate_key(CURVE, private=True)
    return SigningKey(_public(key, authority), key)


def signing_key(text: bytes) -> SigningKey:
    """Read the private key of a JWK file. Raises KeyFileError."""
    fields = _fields(text)
    if "d" not in fields:
        raise KeyFileError("holds a public key; signing needs the private one")
    key = _key(fields)
    return SigningKey(_public(key, fields.get("authority")), key)


def public_key(text: bytes) -> PublicKey:
    """Read the public key of a JWK file. Raises KeyFileError, also for a private key, which must never leave its
    owner."""
    fields = _fields(text)
    if "d" in fields:
        raise KeyFileError("holds a private key; it must not leave its owner. Give the public one")
    return _public(_key(fields), fields.get("authority"))


def verifying_key(x: str) -> OKPKey:
    """Build the key from a public `x` (base64url). Raises KeyFileError."""
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
    """Compute the public part from the private key. The library would repeat the imported one, which may be wrong."""
    return urlsafe_b64encode(key.public_key.public_bytes_raw()).decode()


def to_file_text(jwk: dict[str, str]) -> str:
    """Write a key as the text of a file."""
    return json.dumps(jwk, indent=2) + "\n"
