"""Checks an email just before sending: keeps the intents that are still true and wanted, and drops the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from events.opportunities import OpportunityState
from services.domain import notification_schedule
from services.domain.charter_scope import is_about_ict
from services.domain.framework_prompt import Usable
from services.domain.introduction import is_agreed, is_asking
from services.domain.notification_rules import Preferences, effective_purpose, sides
from services.domain.notifications import CancelReason, EmailState, IntentState, NotificationChange, Purpose, WaitReason
from services.domain.opportunity_status import OpportunityStatus
from services.domain.reorganisation import waits_for_person
from services.domain.supplier_view import say_group
from services.notifier import (
    benchmark_preflight,
    coalition_preflight,
    confirmations,
    plan_details,
    receipts,
    search_news,
)
from services.notifier.context import DispatchContext, ReadyEmail
from services.notifier.delivery_results import close_unsent
from services.notifier.page_links import links_for
from services.notifier.partner_names import UNNAMED, names_of
from services.notifier.rendering import email_message, mail_view
from services.notifier.rendering.need_council import SuggestedGroup
from services.notifier.rendering.opportunity_view import OpportunityView, contact_for, opportunity_view
from services.notifier.rendering.search_section import SearchSection
from services.platform import metrics
from services.platform.clock import day_of
from services.store import (
    benchmark_notices,
    coalition_notices,
    deliveries,
    introductions,
    opportunities,
    partner_plans,
    plan_confirmations,
    responses,
)
from services.store import intents as notifications
from services.store.addressees import addressee, addressees, mutes_for
from services.store.authorities import Authority, Mutes
from services.store.database import transaction
from services.store.intents import Intent, Mail


async def prepare_send(dispatch: DispatchContext, mail_id: str, lease_owner: str) -> ReadyEmail | None:
    """Select the intents that are still true and wanted, compose the email and mark it as being sent.

    None if no intent is left, or the lease has passed to another sender.
    """
    at = dispatch.clock()
    today = day_of(at)
    async with transaction(dispatch.sessions) as session:
        mail = await deliveries.get_leased(session, mail_id, lease_owner)
        if mail is None or mail.state != EmailState.CLAIMED:
            return None
        row = await addressee(session, mail.authority, today)
        if mail.purpose == coalition_notices.PURPOSE:
            act = await responses.of_receipt(session, mail_id)
            if act is not None:
                return await receipts.begin(session, dispatch, mail, act, lease_owner, row, at)
            return await coalition_preflight.begin(session, dispatch, mail, lease_owner, row, at)
        if mail.purpose == benchmark_notices.PURPOSE:
            return await benchmark_preflight.begin(session, dispatch, mail, lease_owner, row, at)
        if mail.purpose == plan_confirmations.PURPOSE:
            return await confirmations.begin(session, dispatch, mail, lease_owner, row, at)
        intents = await notifications.locked_in(session, mail_id)
        if row is None or row.mailbox is None or row.is_paused(today):
            await _release_unreachable(session, mail, intents, row, at)
            return None
        items = await _select_current(session, mail, row, intents, at)
        searches = await search_news.sections(session, mail, row, at, alone=not items.told)
        if not items.told and not searches:
            await close_unsent(session, mail, intents, row, at, CancelReason.NOTHING_LEFT)
            return None
        letter = await _compose(session, dispatch, mail, row, items, searches, at)
        links = links_for(dispatch.links, row)
        letter = links.in_letter(letter, _subjects(items)) if links else letter
        ids = [intent.opportunity_id for intent, _ in items.told]
        earlier = await deliveries.earlier_messages(session, mail, ids)
        deliveries.mark_sending(mail, [intent for intent, _ in items.told], at)
        composed = email_message.compose(letter, dispatch.sender, row.mailbox, mail_id, mail.message_id, at, earlier)
        if links:
            links.add_one_click(composed, mail.purpose)
        return ReadyEmail(mail_id, lease_owner, mail.purpose, email_message.as_bytes(composed), row.mailbox)


async def _compose(
    session: AsyncSession,
    dispatch: DispatchContext,
    mail: Mail,
    row: Authority,
    items: "_Current",
    searches: tuple[SearchSection, ...],
    at: datetime,
) -> mail_view.EmailView:
    """The content of an email about matches and saved searches, without links."""
    partners = {intent.partner for intent, _ in items.told} if mail.purpose != Purpose.CORRECTION else set()
    return mail_view.email_view(
        row.authority,
        row.name,
        mail.purpose,
        [item for _, item in items.told],
        day_of(at),
        items.groups,
        await partner_plans.over_cap_counts(session, row.authority, partners),
        row.signed_on if items.about_ict else None,
        await _usable_frameworks(session, dispatch, items),
        items.consents,
        await _supplier_groups(session, dispatch, mail, row, at),
        searches,
    )


async def _usable_frameworks(
    session: AsyncSession, dispatch: DispatchContext, items: "_Current"
) -> Mapping[str, Usable]:
    """The usable frameworks of an email's plans, by plan. Only plans that the email shows are checked."""
    if dispatch.frameworks is None:
        return {}
    told = [item for _, item in items.told if item.shared and not item.ended]
    pairs = {plan_id for item in told for plan_id in (item.plan_id, item.partner_plan)}
    groups = {member.plan_id for group in items.groups.values() for member in group.state.members}
    return await dispatch.frameworks.usable(session, sorted(pairs | groups))


async def _supplier_groups(
    session: AsyncSession, dispatch: DispatchContext, mail: Mail, row: Authority, at: datetime
) -> tuple[str, ...]:
    """What a digest says of suppliers that a signatory shares with others."""
    today = day_of(at)
    if mail.purpose != Purpose.DIGEST or not row.is_signatory(today):
        return ()
    found = await dispatch.suppliers.of_authority(session, row.authority, today)
    muted = await mutes_for(session, row.authority, today) if found else Mutes()
    said = [say_group(group, row.authority, today, muted.partners) for group in found]
    return tuple(sentence for sentence in said if sentence)


def _subjects(items: "_Current") -> dict[str, str]:
    """The link target of each need, by the own plan: the suggested group, otherwise the strongest match."""
    found: dict[str, str] = {}
    for item in sorted((item for _, item in items.told), key=lambda one: (one.rank, one.opportunity_id)):
        group = items.groups.get(item.plan_id)
        found.setdefault(item.plan_id, group.state.coalition_id if group else item.opportunity_id)
    return found


async def _release_unreachable(
    session: AsyncSession, mail: Mail, intents: Sequence[Intent], row: Authority | None, at: datetime
) -> None:
    """Withhold the intents again, visibly, because the mailbox is gone or paused since."""
    for intent in intents:
        if intent.state == IntentState.QUEUED:
            notifications.release(intent, cast(Purpose, intent.purpose), at, at)
    await close_unsent(
        session, mail, intents, row, at, WaitReason.PAUSED if row and row.mailbox else WaitReason.NO_MAILBOX
    )


@dataclass(frozen=True, slots=True)
class _Current:
    """What of an email still holds, and by the reader's plans: the groups around them, and whose consent they need.

    `about_ict`: whether all of the reader's plans in it are of ICT.
    """

    told: list[tuple[Intent, OpportunityView]]
    groups: Mapping[str, SuggestedGroup]
    consents: Mapping[str, tuple[str, ...]]
    about_ict: bool


async def _select_current(
    session: AsyncSession, mail: Mail, row: Authority, intents: Sequence[Intent], at: datetime
) -> _Current:
    """The intents that are still true, as items. The others are cancelled, or left to another email."""
    open_ = [intent for intent in intents if intent.state in (IntentState.QUEUED, IntentState.AMBIGUOUS)]
    ids = [intent.opportunity_id for intent in open_]
    states = await opportunities.get_many(session, ids)
    told = await notifications.told_before(
        session, row.authority, [i.opportunity_id for i in open_ if i.only_if_notified]
    )
    today = day_of(at)
    partners = await addressees(session, {intent.partner for intent in open_}, today)
    names = await names_of(session, {intent.partner for intent in open_}, today)
    mailboxes = {code: p.mailbox for code, p in partners.items() if p.mailbox and p.takes_part(today)}
    pairs = await responses.silenced(session, [row.pair for row in states.values()])
    unlike = {key for key, row in states.items() if row.pair in pairs}
    sided = {key: plan_details.own_and_other(one, row.authority) for key, one in states.items()}
    refused = await responses.declined(session, {own for own, _ in sided.values()})
    declined = {key: refused[pair] for key, pair in sided.items() if pair in refused}
    muted = await mutes_for(session, row.authority, today)
    details = await plan_details.load(session, row.authority, list(states.values()), muted, today)
    wishes = Preferences(row.immediate, row.digest, takes_part=row.takes_part(today))
    found = []
    for intent in open_:
        stands = states.get(intent.opportunity_id)
        reason = _cancel_reason(intent, stands, muted, told)
        if reason is None and stands is not None and intent.occasion:
            reason = await _act_is_over(session, intent, stands, today)
        if reason is None and _is_declined(intent, declined):
            reason = CancelReason.ANSWERED
        if intent.change != NotificationChange.WITHDRAWN:
            gone = waits_for_person(intent.partner, today)
            reason = (
                CancelReason.MUTED if intent.opportunity_id in unlike else CancelReason.DISSOLVED if gone else reason
            )
        purpose = effective_purpose(cast(Purpose, mail.purpose), wishes) if reason is None else None
        if stands is not None and reason is None and purpose == mail.purpose:
            name = names.get(intent.partner, UNNAMED)
            found.append((intent, _view(row.authority, intent, stands, name, mailboxes, details)))
        elif intent.state == IntentState.QUEUED and purpose is not None:
            notifications.release(intent, purpose, notification_schedule.next_digest(at), at)
        elif intent.state == IntentState.QUEUED:
            notifications.cancel(intent, reason or CancelReason.NOT_WANTED, at)
            metrics.INTENTS_CANCELLED.labels(reason=reason or CancelReason.NOT_WANTED).inc()
    consents = {item.plan_id: details.consent(item.plan_id, today) for _, item in found}
    # A match_only match tells nothing of its plans, not even whether they are about ICT.
    told_plans = {item.plan_id for _, item in found if item.shared} & details.plans.keys()
    about_ict = is_about_ict([details.plans[plan_id].state for plan_id in sorted(told_plans)])
    return _Current(found, details.groups, consents, about_ict)


def _view(
    authority: str,
    intent: Intent,
    stands: opportunities.Opportunity,
    name: str,
    mailboxes: Mapping[str, str],
    details: plan_details.PlanDetails,
) -> OpportunityView:
    state = _seen_by(authority, stands)
    other = next(other for own, other in sides(state) if own.authority == authority)
    contact = contact_for(state, other, mailboxes, introduced=stands.opportunity_id in details.introduced)
    disclosed = details.disclosed(stands, authority)
    return opportunity_view(state, authority, intent.band, intent.change, name, contact, disclosed)


def _seen_by(authority: str, stands: opportunities.Opportunity) -> OpportunityState:
    """An opportunity as one of its authorities sees it. Its own plan always has its reference."""
    state = OpportunityState.model_validate(stands.payload)
    own = {stands.authority_a: stands.plan_a, stands.authority_b: stands.plan_b}[authority]
    plans = tuple(
        side.model_copy(update={"plan_id": own}) if side.authority == authority else side for side in state.plans
    )
    return state.model_copy(update={"plans": plans})


def _cancel_reason(
    intent: Intent, stands: opportunities.Opportunity | None, muted: Mutes, told: dict[str, set[str]]
) -> CancelReason | None:
    """The reason to cancel an intent; None if it is still to be sent."""
    if stands is None or (stands.material_revision != intent.material_revision and not intent.occasion):
        return CancelReason.SUPERSEDED
    if (stands.status == OpportunityStatus.WITHDRAWN) != (intent.change == NotificationChange.WITHDRAWN):
        return CancelReason.SUPERSEDED
    if muted.includes(intent.partner, intent.opportunity_id):
        return CancelReason.MUTED
    if intent.only_if_notified and not told.get(intent.opportunity_id):
        return CancelReason.NEVER_TOLD
    return None


def _is_declined(intent: Intent, declined: Mapping[str, datetime]) -> bool:
    """Whether the authority has said "not this time" since the intent arose. A later one tells of a material change."""
    answered_at = declined.get(intent.opportunity_id)
    tells_state = not intent.occasion and intent.change != NotificationChange.WITHDRAWN
    return answered_at is not None and tells_state and intent.created_at <= answered_at


async def _act_is_over(
    session: AsyncSession, intent: Intent, stands: opportunities.Opportunity, today: date
) -> CancelReason | None:
    """The reason to cancel an intent about an act: the request was answered, or the yes taken back."""
    own, partner = await introductions.sides(session, stands, intent.authority)
    holds = (
        is_agreed(own, partner) if intent.change == NotificationChange.INTRODUCED else is_asking(partner, own, today)
    )
    return None if holds else CancelReason.ANSWERED
