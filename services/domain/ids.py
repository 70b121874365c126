"""Ids and hashes that any process computes the same at any time."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid5

from matching.plan import Plan

_NAMESPACE: Final = UUID("5f1f4d6e-6a0e-5d0b-9a57-0c6b1f1f6a3d")


@dataclass(frozen=True, slots=True)
class IdKey:
    """The secret of one database behind its keyed ids. Without it, nobody can check a guess of a plan against an id."""

    secret: bytes = field(repr=False)


def event_content_hash(kind: str, content: Mapping[str, Any]) -> str:
    """Hash an event's type and its canonical, validated content."""
    canonical = json.dumps([kind, content], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def event_id(*parts: str | int) -> str:
    """Derive an event id: the same parts always give the same id."""
    return str(uuid5(_NAMESPACE, "\n".join(str(part) for part in parts)))


def text_hash(text: str) -> str:
    """The key under which a text's embedding is stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def features_hash(plan: Plan, generation: str) -> str:
    """Hash all inputs of a plan's word features: words, codes, authority and generation."""
    said = (generation, plan.authority, *plan.cpv, "", plan.title, plan.description)
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:32]


def opportunity_id(key: IdKey, plan_a: str, plan_b: str) -> str:
    """The id of a pair of plans, the same in either order. It tells nothing of the plans."""
    return _keyed_id(key, "opportunity", *sorted((plan_a, plan_b)))


def group_coalition_id(key: IdKey, plan_id: str, ordinal: int) -> str:
    """The id of the coalition that is the plan's `ordinal`th as the first of a group. It tells nothing of the plan."""
    return _keyed_id(key, "coalition", plan_id, str(ordinal))


def cause_id(key: IdKey, plan_event_id: str) -> str:
    """The id that replaces a plan event's if the reader must not know the plan. `jointly publish` derives ids from
    content, so the event's own id could be guessed."""
    return _keyed_id(key, "cause", plan_event_id)


def pair_coalition_id(speaker: str, response_id: str, opportunity: str) -> str:
    """The id of the coalition that an invitation on an opportunity makes: the same invitation makes the same one.

    It needs no key: the opportunity's id is keyed.
    """
    return hashlib.sha256("\n".join((speaker, response_id, opportunity)).encode()).hexdigest()[:32]


def plan_subject(plan_id: str) -> str:
    """The id by which responses refer to a plan itself. It needs no key: each of them also names the plan."""
    return hashlib.sha256(plan_id.encode()).hexdigest()[:32]


def party_subject(party: str) -> str:
    """The identity under which responses are about a party."""
    return plan_subject(party)


def _keyed_id(key: IdKey, *parts: str) -> str:
    return hmac.digest(key.secret, "\n".join(parts).encode(), "sha256").hex()[:32]
