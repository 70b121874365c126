"""Converts one state of a contracting process to plan events: the type of the notice, its buyers and its content."""

from collections.abc import Iterator
from typing import Any, Final

from events.plans import PlanAwarded, PlanPayload, PlanPublished, PlanUpdated, PlanWithdrawn
from services.ingest.buyers import Buyer, Learned, authority_of, buyers_of
from services.ingest.entries import (
    AcceptedEntry,
    Entry,
    Options,
    RefusedError,
    RejectedEntry,
    SkippedEntry,
    build_payload,
    plan_id,
)
from services.ingest.loose_json import Object, as_object, as_objects, as_text
from services.ingest.ocds import fields as ocds_fields
from services.ingest.ocds.notices import Phase, awarded_on, ended_by, phase_of
from services.ingest.ocds.process import ReleaseState, is_update
from services.ingest.ocds.tender_window import planned_window, tendering_window

NO_PURCHASE: Final = {
    Phase.PERFORMANCE: "notices of a contract's performance or payments announce no purchase and were skipped",
    Phase.DYNAMIC_MARKET: "notices of a dynamic market announce no purchase and were skipped",
}


def read_state(
    file: str, state: ReleaseState, options: Options, learned: Learned, *, only_stranger: bool
) -> list[Entry]:
    """Convert a state to an event for each of its buyers, or to the reason why there is none. Contact points are never
    read."""
    try:
        if skipped := NO_PURCHASE.get(phase_of(state.release)):
            return [SkippedEntry(file, state.path, skipped)]
        owners, notes = owners_of(state.release, options, learned, only_stranger=only_stranger)
    except RefusedError as refused:
        return [_rejection(file, state, refused)]
    reads: list[Entry] = []
    for authority in owners:
        try:
            payload, inferred = _event(state, authority)
            reads.append(AcceptedEntry(file, state.path, payload, (*inferred, *notes)))
        except RefusedError as refused:
            reads.append(_rejection(file, state, refused, plan_id(authority, state.ocid)))
    return reads


def owners_of(
    release: Object, options: Options, learned: Learned, *, only_stranger: bool
) -> tuple[list[str], tuple[str, ...]]:
    """Return the authorities that buy, and notes on those left out. Raises RefusedError if there is none to publish
    for."""
    buyers = buyers_of(release, learned)
    if options.authority and any(buyer.code == options.authority for buyer in buyers):
        others = len({buyer.code or buyer.name for buyer in buyers} - {options.authority})
        return [options.authority], ("a joint notice: the other buyers' plans were not published",) if others else ()
    known: dict[str, Buyer] = {}
    refusals = []
    for buyer in buyers:
        try:
            known.setdefault(authority_of(buyer, options, only_stranger=only_stranger), buyer)
        except RefusedError as refused:
            refusals.append(refused)
    if not known:
        raise refusals[0]
    notes = ["a joint notice: one plan for each buyer"] if len(known) > 1 else []
    if refusals:
        notes.append("a joint notice: buyers that are not known by name or code have no plan")
    return list(known), tuple(notes)


def _event(state: ReleaseState, authority: str) -> tuple[PlanPayload, tuple[str, ...]]:
    release = state.release
    reference = {"plan_id": plan_id(authority, state.ocid), "revision": state.revision, "authority": authority}
    match phase_of(release):
        case Phase.WITHDRAWN:
            return build_payload(PlanWithdrawn, reference | {"reason": ended_by(release)}), ()
        case Phase.AWARDED:
            return build_payload(PlanAwarded, reference | {"awarded_on": awarded_on(release)}), ()
        case phase:
            fields, notes = _fields(state, phase)
            # The plan goes on if only some lots are awarded.
            model = PlanUpdated if is_update(release) or release.get("awards") else PlanPublished
            return build_payload(model, reference | fields), notes


def _fields(state: ReleaseState, phase: Phase) -> tuple[dict[str, Any], tuple[str, ...]]:
    release, tender = state.release, as_object(state.release.get("tender"))
    title = ocds_fields.prose(as_text(tender.get("title")) or as_text(release.get("title")))
    if not title:
        raise RefusedError("tender.title", "is missing: the release doesn't say what is to be bought")
    description, cpv = ocds_fields.prose(as_text(tender.get("description"))), ocds_fields.cpv(release)
    if state.partial and not (description and cpv):
        raise RefusedError(
            "tender",
            "holds changed fields only, and the release that it changes is not in the file; "
            "publish the record of this process, or all its releases",
        )
    start, end = ocds_fields.contract(release)
    if phase is Phase.TENDERING:
        window, rule = tendering_window(release, state.released)
    else:
        window, rule = planned_window(release, state.released, start)
    value, gross = ocds_fields.value(release)
    fields = {
        "title": _cut(" ".join(title.split()), 500),
        "description": _cut(description, 20_000),
        "kind": ocds_fields.kind(release),
        "stage": phase.value,
        "cpv": cpv,
        "value": value,
        "tender_window": window,
        # A notice's extension applies to the new contract; `extension_months` is for the current one.
        "contract": {"start": start, "end": end},
        "regions": ocds_fields.regions(release),
        "procurement": _cut(state.ocid, 120),
    }
    return fields, tuple(_notes(tender, rule, value, gross=gross))


def _notes(tender: Object, rule: str | None, value: dict[str, Any] | None, *, gross: bool) -> Iterator[str]:
    if rule:
        yield rule
    if sum(1 for _ in as_objects(tender.get("lots"))) > 1:
        yield "several lots published as one plan"
    if value is None and tender.get("value") is not None:
        yield "the value given is a placeholder: published without"
    if gross:
        yield "a value that includes VAT was taken as it is"


def _rejection(file: str, state: ReleaseState, refused: RefusedError, plan: str | None = None) -> RejectedEntry:
    where = f"{state.path} {state.ocid[:80]}".strip()
    return RejectedEntry(file, where, refused.field, refused.reason, refused.plan_id or plan)


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
