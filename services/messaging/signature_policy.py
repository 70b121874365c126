"""Signatures: the authority that signed an event, and whether it may speak for the authority that the event names."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol, Self, TypeVar

from events.cloudevents import Event
from events.dead_letters import DeadLetterReason
from events.jwk import KeyFileError, verifying_key
from events.signing import Signature, SignatureError, extract_signature, verify
from events.topics import AUTHORITY_FAMILIES
from services.messaging.kafka import Record
from services.platform.settings import SignatureMode
from services.store import authority_keys
from services.store.authority_keys import AuthorityKey
from services.store.database import Sessions

REMEMBERED_SECONDS: Final = 30.0
"""How long a key is cached. A revoked key is accepted for at most this long."""

SHARED_TOPICS: Final = frozenset(family.name for family in AUTHORITY_FAMILIES)
"""Topics to which several authorities may write. There, only a signature proves the sender."""

UNSIGNED_MESSAGE: Final = "events on the shared topic must be signed here; sign it, or use the authority's own topic"


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that the consumer refuses, and the reason."""

    record: Record
    reason: DeadLetterReason
    sentence: str


class DecodedEvent(Protocol):
    """A decoded event, and its signature if the consumer looked for one."""

    @property
    def record(self) -> Record: ...
    @property
    def event(self) -> Event: ...
    @property
    def signature(self) -> Signature | None: ...
    @property
    def authority(self) -> str: ...
    def with_signature(self, signature: Signature | None) -> Self: ...


T = TypeVar("T", bound=DecodedEvent)


@dataclass(slots=True)
class KeyCache:
    """A short-lived cache of registered keys. It holds registered keys only, so it can't outgrow the register."""

    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, AuthorityKey]] = field(default_factory=dict)

    async def get(self, sessions: Sessions, key_ids: Collection[str]) -> dict[str, AuthorityKey]:
        """Return the registered keys among these ids, at most `REMEMBERED_SECONDS` old. Costs at most one query."""
        oldest = self.clock() - REMEMBERED_SECONDS
        self._known = {key_id: known for key_id, known in self._known.items() if known[0] > oldest}
        missing = set(key_ids) - self._known.keys()
        if missing:
            asked = self.clock()
            async with sessions() as session:
                self._known |= {k: (asked, key) for k, key in (await authority_keys.find(session, missing)).items()}
        return {key_id: self._known[key_id][1] for key_id in key_ids if key_id in self._known}


async def verify_all(
    items: Sequence[T | RejectedRecord], demand: SignatureMode, keyring: KeyCache, sessions: Sessions, day: date
) -> list[T | RejectedRecord]:
    """Verify every signature, whatever the topic, and keep the order of items. Items with an invalid signature, or
    without a required one, are refused."""
    if demand == "off":
        return list(items)
    read = [item if isinstance(item, RejectedRecord) else with_signature(item) for item in items]
    key_ids = {item.signature.key_id for item in read if not isinstance(item, RejectedRecord) and item.signature}
    known = await keyring.get(sessions, key_ids)
    return [item if isinstance(item, RejectedRecord) else verify_one(item, known, demand, day) for item in read]


def verify_one(item: T, known: dict[str, AuthorityKey], demand: SignatureMode, day: date) -> T | RejectedRecord:
    """Verify one event against the registered keys, as of a day."""
    signature, authority = item.signature, item.authority
    if signature is None:
        if demand == "required" and item.record.topic in SHARED_TOPICS:
            return RejectedRecord(item.record, DeadLetterReason.UNSIGNED, UNSIGNED_MESSAGE)
        return item
    key = known.get(signature.key_id)
    if key is None:
        return _refused(item, f"the register has no key {signature.key_id}")
    if key.authority != authority:
        return _refused(
            item, f"key {key.key_id} is {key.authority}'s, the event {authority}'s; nobody speaks for another"
        )
    why_not = authority_keys.why_invalid(key, day)
    if why_not is not None:
        return _refused(item, f"key {key.key_id} of {authority} {why_not}")
    try:
        verify(signature, item.event, item.record.value, verifying_key(key.public_key))
    except (SignatureError, KeyFileError) as error:
        return _refused(item, str(error))
    return item


def with_signature(item: T) -> T | RejectedRecord:
    """Attach the signature from the record's headers, not yet verified. A malformed one is refused."""
    try:
        return item.with_signature(extract_signature(item.record.headers))
    except SignatureError as error:
        return _refused(item, str(error))


def _refused(item: DecodedEvent, sentence: str) -> RejectedRecord:
    return RejectedRecord(item.record, DeadLetterReason.BAD_SIGNATURE, sentence)
