"""Signed events: a detached JWS (RFC 7515, appendix F) in a header of the event, with Ed25519 only.

The JWS payload is the record's value, byte for byte. The protected header repeats the attributes that give the value
its meaning, and must equal those of the event. So no canonical form is needed, and any JOSE library can sign. The
register decides the key's owner and validity: see docs/decisions/0601.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.util import urlsafe_b64decode

from events.cloudevents import MAX_VALUE_BYTES, Event, Message, strict_json
from events.jwk import CURVE, KEY_ID_PATTERN, SigningKey

HEADER: Final = "jws-signature"
"""The Kafka header. It is no CloudEvents attribute, so any SDK reads a signed event like an unsigned one."""

ALGORITHMS: Final = (CURVE, "EdDSA")
"""The accepted values of `alg`: Ed25519 (RFC 9864) or its older name (RFC 8037). Both require an Ed25519 key."""

ATTRIBUTES: Final = ("id", "source", "type", "subject")
MAX_HEADER_BYTES: Final = 8192
_MEMBERS: Final = frozenset({"alg", "kid", "ce"})


class SignatureError(ValueError):
    """An unacceptable signature; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as received. It is not verified yet, so trust nothing in it."""

    key_id: str
    attributes: Mapping[str, str]
    compact: bytes


class _Registry(jws.JWSRegistry):
    """Our limits, and one algorithm: an `EdDSA` that accepts Ed25519 keys only, whatever else the library supports."""

    max_header_length = MAX_HEADER_BYTES
    max_payload_length = MAX_VALUE_BYTES * 2
    algorithms: Final = dict.fromkeys(ALGORITHMS, jws.JWSRegistry.algorithms[CURVE])  # type: ignore[misc]


_REGISTRY: Final = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


def signed_attributes(event: Event) -> dict[str, str]:
    """Return the attributes that a signature binds to the value: id, source, type, and subject if there is one."""
    given = {name: getattr(event, name) for name in ATTRIBUTES}
    return {name: value for name, value in given.items() if value is not None}


def sign(event: Event, message: Message, key: SigningKey) -> Message:
    """Add the signature to the message's headers. Raises SignatureError if it would be too long to be read."""
    protected = {"alg": CURVE, "kid": key.public.key_id, "ce": signed_attributes(event)}
    try:
        compact = jws.serialize_compact(protected, message.value, key.key, registry=_REGISTRY)
        detached = jws.detach_content(compact).encode()
    except JoseError as error:
        raise SignatureError(f"the event can't be signed: {error}") from None
    if len(detached) > MAX_HEADER_BYTES:
        raise SignatureError(f"the event's attributes are too long to be signed: {len(detached)} bytes")
    return replace(message, headers=(*message.headers, (HEADER, detached)))


def extract_signature(headers: Iterable[tuple[str, bytes | None]]) -> Signature | None:
    """Return the signature among a record's headers, or None. Raises SignatureError if it is malformed."""
    given = [value or b"" for name, value in headers if name.lower() == HEADER]
    if not given:
        return None
    if len(given) > 1:
        raise SignatureError(f"header '{HEADER}' appears twice")
    if len(given[0]) > MAX_HEADER_BYTES:
        raise SignatureError(f"the signature has {len(given[0])} bytes; the limit is {MAX_HEADER_BYTES}")
    parts = given[0].split(b".")
    # A JWS with a payload of its own would be verified against that instead of the event.
    if len(parts) != 3 or parts[1] or not parts[0] or not parts[2]:
        raise SignatureError("not a detached JWS in compact form (header..signature)")
    return _read(parts[0], given[0])


def verify(signature: Signature, event: Event, value: bytes, key: OKPKey) -> None:
    """Verify a signature against the event and the bytes it was read from. Raises SignatureError."""
    expected = signed_attributes(event)
    other = [name for name in ATTRIBUTES if signature.attributes.get(name) != expected.get(name)]
    if other or len(signature.attributes) != len(expected):
        raise SignatureError(
            f"the signature was made for other attributes: {', '.join(other) or 'more than there are'}"
        )
    try:
        jws.deserialize_compact(signature.compact, key, registry=_REGISTRY, payload=value)
    except (JoseError, ValueError, TypeError):
        raise SignatureError("the signature does not fit the event's bytes and the key") from None


def _read(encoded: bytes, compact: bytes) -> Signature:
    try:
        protected = strict_json(urlsafe_b64decode(encoded))
    except ValueError as error:
        raise SignatureError(f"the signature's header can't be read: {error}") from None
    # Exactly these: no `crit` or `b64` that would change the signed content, no `jwk`, `jku` or `x5c` that supplies a
    # key.
    if not isinstance(protected, dict) or protected.keys() != _MEMBERS:
        raise SignatureError(f"the signature's header must hold {', '.join(sorted(_MEMBERS))} and nothing else")
    algorithm, key_id, covers = protected["alg"], protected["kid"], protected["ce"]
    if algorithm not in ALGORITHMS:
        raise SignatureError(f"the signature's alg must be {' or '.join(ALGORITHMS)}")
    if not isinstance(key_id, str) or not re.fullmatch(KEY_ID_PATTERN, key_id):
        raise SignatureError("the signature's kid must be the RFC 7638 thumbprint of the key")
    if not isinstance(covers, dict) or not all(isinstance(value, str) for value in covers.values()):
        raise SignatureError("the signature's ce must hold the event's attributes as texts")
    return Signature(key_id, covers, compact)


def sign_as(authority: str, event: Event, message: Message, key: SigningKey) -> Message:
    """Sign an authority's event, like `sign`. Raises SignatureError if the key was made for another authority."""
    if key.public.authority not in (None, authority):
        raise SignatureError(
            f"the key was made for {key.public.authority}, the event is {authority}'s; it would be refused"
        )
    return sign(event, message, key)
