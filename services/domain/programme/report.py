"""The programme report: every measure with its definition, in a fixed order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.domain.benchmark_requests import BenchmarkRequest, BenchmarkStatus
from services.domain.programme import compliance, contracts, funnel, shares
from services.domain.programme.funnel import Stage
from services.domain.programme.records import (
    ProgrammeRevision,
    RecordedAnswer,
    RecordedDecision,
    RecordedEnquiry,
    RecordedPair,
    SentEmail,
    SharedContract,
    Signatory,
)
from services.domain.programme.shares import Lateness, PlanHistory

LEAD_TIME, COVERAGE, FRESHNESS = "Sharing ahead", "Coverage", "Freshness"
FUNNEL, PRECISION, WORTH, ROUTES, INVITATIONS = "Funnel", "Precision", "Worth", "Routes", "Invitations"
EXTENSIONS, CONTRACTS = "Extensions", "Contracts"


@dataclass(frozen=True, slots=True)
class Measure:
    """One number. `value` is None if there is nothing to measure."""

    section: str
    name: str
    value: float | None
    unit: str
    definition: str


@dataclass(frozen=True, slots=True)
class Records:
    """All records, in their order of arrival."""

    revisions: Sequence[ProgrammeRevision] = ()
    register: Sequence[Signatory] = ()
    answers: Sequence[RecordedAnswer] = ()
    pairs: Sequence[RecordedPair] = ()
    emails: Sequence[SentEmail] = ()
    requests: Sequence[BenchmarkRequest] = ()
    decisions: Sequence[RecordedDecision] = ()
    enquiries: Sequence[RecordedEnquiry] = ()
    contracts: Sequence[SharedContract] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """The records up to a day, and the plans in their state on it."""

    as_of: date
    plans: Mapping[str, PlanHistory]
    register: Sequence[Signatory]
    answers: Sequence[RecordedAnswer]
    pairs: Sequence[RecordedPair]
    emails: Sequence[SentEmail]
    requests: Sequence[BenchmarkRequest] = ()
    decisions: Sequence[RecordedDecision] = ()
    enquiries: Sequence[RecordedEnquiry] = ()
    contracts: Sequence[SharedContract] = ()
    rate: tuple[float, float] | None = None


def build_scene(records: Records, as_of: date, rate: tuple[float, float] | None = None) -> Scene:
    """Cut the records off after a day. `rate`: the lower and upper share of its value that a joint purchase may
    save."""
    return Scene(
        as_of=as_of,
        plans=shares.build_histories(records.revisions, as_of),
        register=records.register,
        answers=[one for one in records.answers if one.on <= as_of and (one.undone_on or date.max) > as_of],
        pairs=[one for one in records.pairs if one.found_on <= as_of],
        emails=[one for one in records.emails if one.on <= as_of],
        requests=records.requests,
        decisions=records.decisions,
        enquiries=records.enquiries,
        contracts=records.contracts,
        rate=rate,
    )


def measure_all(scene: Scene) -> list[Measure]:
    """Every measure of the programme."""
    return [one for section in _SECTIONS for one in section(scene)]


def measure_sharing(scene: Scene, authority: str) -> list[Measure]:
    """The measures of the first principle for one authority."""
    own = {plan_id: one for plan_id, one in scene.plans.items() if one.authority == authority}
    register = [one for one in scene.register if one.authority == authority]
    alone = Scene(scene.as_of, own, register, (), (), ())
    return [*_lead_time(alone), *_coverage(alone), *_freshness(alone)]


def _lead_time(scene: Scene) -> Iterator[Measure]:
    days = shares.lead_days(scene.plans.values())
    what = "Days from the day an authority first shared a plan to the first day of its tender window as it stands"
    yield Measure(LEAD_TIME, "median days", shares.median_days(days), "days", f"{what}: the median of all plans shared")
    for kind, count in shares.count_lateness(days).items():
        yield Measure(LEAD_TIME, kind.value, count, "plans", _LATENESS[kind])


def _coverage(scene: Scene) -> Iterator[Measure]:
    found = shares.coverage(scene.plans, scene.register, scene.as_of)
    yield Measure(COVERAGE, "signed", found.signed, "authorities", "Authorities that have signed and not left")
    yield Measure(COVERAGE, "sharing", found.sharing, "authorities", "Of these, who sent a plan in the last 90 days")
    yield Measure(COVERAGE, "with a mailbox", found.mailboxes, "authorities", "Of these, who named a role mailbox")
    yield Measure(
        COVERAGE,
        "ICT tenders",
        found.tenders,
        "plans",
        "Tenders of signatories, by notices of the last year",
    )
    yield Measure(
        COVERAGE,
        "ICT tenders shared before",
        found.tenders_foreseen,
        "plans",
        "Of these, whose procurement the authority had shared 90 days before the tender",
    )


def _freshness(scene: Scene) -> Iterator[Measure]:
    standing = shares.shared_now(scene.plans.values())
    yield Measure(FRESHNESS, "shared plans", len(standing), "plans", "Plans that stand and that authorities share")
    old = shares.stale(scene.plans.values(), scene.as_of)
    yield Measure(
        FRESHNESS, "not confirmed", len(old), "plans", "Of these, those of which nothing was sent for six months"
    )


def _funnel(scene: Scene) -> Iterator[Measure]:
    days = funnel.reach(scene.plans, scene.emails, scene.answers)
    before: Stage | None = None
    for stage in Stage:
        yield Measure(FUNNEL, stage.value, len(days[stage]), "plans", _STAGES[stage])
        if before is not None:
            taken = funnel.days_between(days, before, stage)
            yield Measure(
                FUNNEL, f"{before.value} to {stage.value}", taken, "days", "The median, of plans that reached both"
            )
        before = stage
    for kind, count in funnel.count_answers(scene.answers).items():
        yield Measure(
            FUNNEL,
            f"answered: {_ANSWERS.get(kind, kind.replace('-', ' '))}",
            count,
            "answers",
            "How often authorities said this",
        )
    for reason, count in funnel.count_reasons(scene.answers).items():
        yield Measure(
            FUNNEL, f"reason: {reason.replace('-', ' ')}", count, "answers", "How often an answer gave this reason"
        )


def _precision(scene: Scene) -> Iterator[Measure]:
    for band, (judged, right) in funnel.precision(scene.answers, scene.pairs).items():
        what = "Pairs of this band that somebody answered, alone or with a whole coalition: a plan with each other one"
        yield Measure(PRECISION, f"{band}: answered", judged, "pairs", what)
        what = 'Of these, those nobody called "not the same thing", alone or with a whole coalition'
        yield Measure(PRECISION, f"{band}: the same need", right, "pairs", what)


def _worth(scene: Scene) -> Iterator[Measure]:
    count, pounds = funnel.potential(scene.plans, scene.pairs, scene.as_of)
    yield Measure(WORTH, "matched plans", count, "plans", "Active plans in a pair worth telling of, each once")
    yield Measure(WORTH, "value of matched plans", pounds, "pounds", "Their stated values, without VAT, each plan once")
    if scene.rate is not None:
        for name, part in zip(("lower", "upper"), scene.rate, strict=True):
            definition = f"That value times {part:g}, the {name} rate that the office has set; not realised"
            yield Measure(WORTH, f"potential, {name}", pounds * part, "pounds", definition)
    awarded = funnel.reach(scene.plans, (), scene.answers)[Stage.AWARDED]
    yield Measure(
        WORTH,
        "realised: value awarded together",
        funnel.sum_values(scene.plans[plan_id] for plan_id in awarded),
        "pounds",
        "The stated values of plans awarded in a coalition; no saving is claimed",
    )


def _extensions(scene: Scene) -> Iterator[Measure]:
    found = contracts.extensions(scene.requests, scene.decisions, scene.plans, scene.as_of)
    what = "Extensions that take a contract more than 12 months past its first end, all together"
    yield Measure(EXTENSIONS, "asked for a benchmark", found.asked, "plans", what)
    for status in BenchmarkStatus:
        name, what = _BENCHMARKS[status]
        yield Measure(EXTENSIONS, name, found.by_status.get(status, 0), "plans", what)
    others = contracts.enquiries(scene.enquiries, scene.as_of)
    yield Measure(EXTENSIONS, "put to others", others.asked, "questions", "One to each authority that was asked")
    yield Measure(EXTENSIONS, "others answered", others.answers, "answers", "Of these, those with an answer")
    yield Measure(EXTENSIONS, "others gave a price", others.supplied, "answers", "Of these, those with a price")
    yield Measure(EXTENSIONS, "decided", found.decided, "plans", "Of these, with a decision of the authority recorded")
    yield Measure(
        EXTENSIONS, "extended without benchmark", found.without, "plans", "Of these, carried out with none recorded"
    )


def _contracts(scene: Scene) -> Iterator[Measure]:
    found = contracts.contracts(scene.contracts, scene.as_of)
    yield Measure(CONTRACTS, "shared", found.shared, "contracts", "Contracts of which authorities share facts")
    yield Measure(CONTRACTS, "with prices", found.prices, "contracts", "Of these, with unit prices")
    yield Measure(CONTRACTS, "prices withheld", found.withheld, "contracts", "Of these, with the reason for no prices")
    yield Measure(CONTRACTS, "with ratings", found.rated, "contracts", "Of these, with the supplier's performance")
    yield Measure(CONTRACTS, "open to signatories", found.signatories, "contracts", "Of these, by their stated day")
    yield Measure(CONTRACTS, "public", found.public, "contracts", "Of these, by their stated day")


def _routes(scene: Scene) -> Iterator[Measure]:
    found = compliance.routes(scene.plans, scene.answers, scene.as_of)
    yield Measure(ROUTES, "tendered", found.tendered, "plans", "Shared plans that went to market in the last year")
    yield Measure(ROUTES, "with a route record", found.with_record, "plans", "Of these, with any route recorded")
    yield Measure(
        ROUTES, "without a route record", found.tendered - found.with_record, "plans", "Of these, with none recorded"
    )
    yield Measure(
        ROUTES, "frameworks looked at", found.framework_checked, "plans", "Of these, with frameworks recorded by then"
    )


def _invitations(scene: Scene) -> Iterator[Measure]:
    found = compliance.invitations(scene.answers)
    yield Measure(INVITATIONS, "sent", found.sent, "invitations", "Invitations to go to market together")
    yield Measure(
        INVITATIONS,
        "under 20 working days",
        found.short,
        "invitations",
        "Of these, those that left less time to reply",
    )
    yield Measure(INVITATIONS, "working days", found.working_days, "days", "The median time to reply that they left")
    yield Measure(INVITATIONS, "asked", found.asked, "plans", "Plans that were asked, or joined by themselves")
    yield Measure(INVITATIONS, "accepted", found.accepted, "plans", "Of these, in a coalition that they have not left")
    yield Measure(INVITATIONS, "declined", found.declined, "plans", "Of these, whose authority said no")
    yield Measure(INVITATIONS, "no answer", found.silent, "plans", "Of these, with no word yet; silence is never a no")
    what = "The median from the invitation to the first yes or no of a plan that was asked"
    yield Measure(INVITATIONS, "days to answer", found.days_to_answer, "days", what)


_SECTIONS: Final[Sequence[Callable[[Scene], Iterator[Measure]]]] = (
    _lead_time,
    _coverage,
    _freshness,
    _funnel,
    _precision,
    _worth,
    _extensions,
    _routes,
    _invitations,
    _contracts,
)

_LATENESS: Final = {
    Lateness.OVER_12_MONTHS: "Plans shared more than 365 days ahead",
    Lateness.FROM_6_TO_12_MONTHS: "Plans shared 182 to 365 days ahead",
    Lateness.UNDER_6_MONTHS: "Plans shared 90 to 181 days ahead",
    Lateness.UNDER_90_DAYS: "Plans shared 0 to 89 days ahead",
    Lateness.AFTER: "Plans first shared after their window's first day",
}

_BENCHMARKS: Final = {
    BenchmarkStatus.REQUESTED: ("benchmark requested", "Of these, with no answer yet"),
    BenchmarkStatus.SUPPLIED: ("benchmark supplied", "Of these, answered by a published cell or another authority"),
    BenchmarkStatus.NONE_AVAILABLE: (
        "no benchmark available",
        "Of these, for which no prices are there: asking is enough",
    ),
    BenchmarkStatus.WITHHELD: ("benchmark withheld", "Of these, for which prices are withheld"),
}
"""The name and the definition of the measure of each status."""

_ANSWERS: Final = {
    "other-dates": "interested, with other dates",
    "later": "ask me later",
    "accept": "accepted",
    "decline": "declined",
    "join": "joined",
    "leave": "left",
    "commit": "committed",
    "lead": "took the lead",
    "dates": "gave more time to reply",
    "introduced": "answered about an introduction",
    "undone": "took an answer back",
    "document": "shared a document",
}
"""Kinds of answers that do not read as words by themselves."""

_STAGES: Final = {
    Stage.TOLD: "Plans about which an email was sent",
    Stage.ANSWERED: "Plans whose authority answered, invited or accepted",
    Stage.MUTUAL: "Plans interested in the same thing as another one, or in a coalition",
    Stage.COALITION: "Plans in a coalition of two or more; not those that left it, or went to market before its lead",
    Stage.MARKET: "Of these, plans whose tender is out",
    Stage.AWARDED: "Of these, plans whose contract is awarded",
}
