"""What an opportunity's state means for each of its two authorities, given what they were told before. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from events.fields import Origin
from events.opportunities import Band, OpportunityState, PlanSummary
from services.domain.notifications import POSSIBLY_SENT, CancelReason, NotificationChange, Purpose

RANK: Final[dict[str, int]] = {"feed": 0, "digest": 1, "notify": 2}


class PriorIntent(Protocol):
    """What is known of something told, or to be told, before."""

    @property
    def material_revision(self) -> int: ...
    @property
    def authority(self) -> str: ...
    @property
    def band(self) -> str: ...
    @property
    def change(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def maybe_told(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class NotificationDraft:
    """Something to tell one authority. `needs_told`: only if what came before did reach it."""

    authority: str
    partner: str
    purpose: Purpose
    band: Band
    change: NotificationChange
    needs_told: bool = False


@dataclass(frozen=True, slots=True)
class NotificationPlan:
    """`news` are the intents to add; everything still waiting from before is to be cancelled for `outdated`."""

    drafts: tuple[NotificationDraft, ...]
    outdated: CancelReason | None


NOTHING: Final = NotificationPlan((), None)


def plan_notifications(state: OpportunityState, earlier: Sequence[PriorIntent]) -> NotificationPlan:
    """What has to be told of `state`, where `earlier` holds every intent about this opportunity.

    A state no newer than what is known means nothing. A plan that is private means nothing either: it should
    never have come this far.
    """
    if any(intent.material_revision >= state.material_revision for intent in earlier):
        return NOTHING
    if any(side.sharing == "private" for side in state.plans):
        return NOTHING
    news = tuple(_news(state, own, other, earlier) for own, other in sides(state))
    outdated = CancelReason.WITHDRAWN if state.status == "withdrawn" else CancelReason.SUPERSEDED
    return NotificationPlan(tuple(item for item in news if item is not None), outdated)


def sides(state: OpportunityState) -> tuple[tuple[PlanSummary, PlanSummary], tuple[PlanSummary, PlanSummary]]:
    """Each side as (own, other)."""
    first, second = state.plans
    return (first, second), (second, first)


def last_notified(earlier: Iterable[PriorIntent], authority: str) -> PriorIntent | None:
    """The newest thing that has, or may have, reached the authority."""
    told = [
        intent
        for intent in earlier
        if intent.authority == authority and (intent.state in POSSIBLY_SENT or intent.maybe_told)
    ]
    return max(told, key=lambda intent: intent.material_revision, default=None)


def _news(
    state: OpportunityState, own: PlanSummary, other: PlanSummary, earlier: Sequence[PriorIntent]
) -> NotificationDraft | None:
    told = last_notified(earlier, own.authority)
    standing = told is not None and told.change != NotificationChange.WITHDRAWN
    if state.status == "withdrawn":
        if not standing:
            return None
        return NotificationDraft(
            own.authority,
            other.authority,
            Purpose.CORRECTION,
            state.band,
            NotificationChange.WITHDRAWN,
            needs_told=True,
        )
    if state.band == "feed":
        # Never told of its own accord; but who was told that it is more must not go on believing it.
        if not standing or told is None or told.band == "feed":
            return None
        return NotificationDraft(
            own.authority, other.authority, Purpose.DIGEST, "feed", NotificationChange.WEAKER, needs_told=True
        )
    # What nobody has confirmed interrupts nobody.
    derived = any(side.origin == Origin.DERIVED for side in state.plans)
    purpose = Purpose.IMMEDIATE if state.band == "notify" and not derived else Purpose.DIGEST
    return NotificationDraft(own.authority, other.authority, purpose, state.band, _change(state, told))


def _change(state: OpportunityState, told: PriorIntent | None) -> NotificationChange:
    if told is None:
        return NotificationChange.NEW
    if told.change == NotificationChange.WITHDRAWN:
        return NotificationChange.AGAIN
    step = RANK[state.band] - RANK[told.band]
    if step == 0:
        return NotificationChange.MOVED
    return NotificationChange.STRONGER if step > 0 else NotificationChange.WEAKER


@dataclass(frozen=True, slots=True)
class Preferences:
    """What an authority wants to hear, as it is at the moment of sending."""

    immediate: bool
    digest: bool
    takes_part: bool


def effective_purpose(purpose: Purpose, wishes: Preferences) -> Purpose | None:
    """As what something is told: immediate news of one who wants digests only waits for the digest, a
    correction goes to everybody who still hears from us at all. None where it is not told."""
    if not wishes.takes_part or not (wishes.immediate or wishes.digest):
        return None
    if purpose == Purpose.IMMEDIATE:
        return Purpose.IMMEDIATE if wishes.immediate else Purpose.DIGEST
    if purpose == Purpose.DIGEST:
        return Purpose.DIGEST if wishes.digest else None
    return Purpose.CORRECTION
