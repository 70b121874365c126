"""Decides which notifications follow from an opportunity's state, given each authority's earlier ones. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from events.fields import Origin
from events.opportunities import Band, OpportunityState, PlanSummary
from services.domain.disclosure import include_private
from services.domain.notifications import POSSIBLY_SENT, CancelReason, NotificationChange, Purpose

RANK: Final[dict[str, int]] = {"feed": 0, "digest": 1, "notify": 2}


class PriorIntent(Protocol):
    """A notification recorded earlier, sent or not."""

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
    def possibly_delivered(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class NotificationDraft:
    """A notification to one authority. `only_if_notified`: send it only if the previous one did reach the authority."""

    authority: str
    partner: str
    purpose: Purpose
    band: Band
    change: NotificationChange
    only_if_notified: bool = False


@dataclass(frozen=True, slots=True)
class NotificationPlan:
    """`drafts` are the notifications to add; unsent earlier ones are cancelled with the reason `outdated`."""

    drafts: tuple[NotificationDraft, ...]
    outdated: CancelReason | None


NOTHING: Final = NotificationPlan((), None)


def plan_notifications(state: OpportunityState, earlier: Sequence[PriorIntent]) -> NotificationPlan:
    """Plans the notifications of `state`. `earlier` holds every intent about this opportunity.

    A state no newer than the known ones, or one with a private plan, plans nothing. Private plans never get this far.
    """
    if any(intent.material_revision >= state.material_revision for intent in earlier):
        return NOTHING
    if include_private(*state.plans):
        return NOTHING
    news = tuple(_news(state, own, other, earlier) for own, other in sides(state))
    outdated = CancelReason.WITHDRAWN if state.status == "withdrawn" else CancelReason.SUPERSEDED
    return NotificationPlan(tuple(item for item in news if item is not None), outdated)


def sides(state: OpportunityState) -> tuple[tuple[PlanSummary, PlanSummary], tuple[PlanSummary, PlanSummary]]:
    """Each side as (own, other)."""
    first, second = state.plans
    return (first, second), (second, first)


def last_notified(earlier: Iterable[PriorIntent], authority: str) -> PriorIntent | None:
    """The newest notification that has reached the authority, or may have."""
    told = [
        intent
        for intent in earlier
        if intent.authority == authority and (intent.state in POSSIBLY_SENT or intent.possibly_delivered)
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
            only_if_notified=True,
        )
    if state.band == "feed":
        # A feed match is never emailed. But an authority that was told of a stronger match must learn that it is
        # weaker.
        if not standing or told is None or told.band == "feed":
            return None
        return NotificationDraft(
            own.authority, other.authority, Purpose.DIGEST, "feed", NotificationChange.WEAKER, only_if_notified=True
        )
    # A plan that its authority has not confirmed causes no immediate email.
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
    """An authority's choice of emails at the moment of sending."""

    immediate: bool
    digest: bool
    takes_part: bool


def effective_purpose(purpose: Purpose, wishes: Preferences) -> Purpose | None:
    """The purpose under which a notification is sent; None if it is not.

    Without immediate emails, it waits for the digest. Corrections go to every authority that still gets any email.
    """
    if not wishes.takes_part or not (wishes.immediate or wishes.digest):
        return None
    if purpose == Purpose.IMMEDIATE:
        return Purpose.IMMEDIATE if wishes.immediate else Purpose.DIGEST
    if purpose == Purpose.DIGEST:
        return Purpose.DIGEST if wishes.digest else None
    return Purpose.CORRECTION
