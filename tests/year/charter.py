"""What the Charter asks of councils: benchmarks before extensions, contracts shared, routes and tender notices."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final

from events.contracts import ContractPublished, ContractWithdrawn
from events.fields import Origin
from events.plans import PlanState
from tests.year.acts import COUNCILS, DAYS, ContractEvent, Extension, Need, PlanEvent, Said, gone, plan

EXTENSIONS: Final = (
    # The first six are of the category that has a published benchmark from October 2026 on.
    Extension(DAYS[9], f"{COUNCILS[0]}:EX", "48450000", date(2027, 3, 31), date(2027, 3, 31), 24),
    Extension(DAYS[12], f"{COUNCILS[1]}:EX", "48450000", date(2027, 9, 30), date(2027, 9, 30), 18),
    Extension(DAYS[14], f"{COUNCILS[2]}:EX", "48450000", date(2027, 9, 30), date(2027, 9, 30), 12),
    Extension(DAYS[16], f"{COUNCILS[3]}:EX", "48450000", date(2026, 6, 30), date(2027, 5, 31), 11),
    Extension(DAYS[20], f"{COUNCILS[4]}:EX", "48450000", date(2027, 6, 30), date(2027, 6, 30), 13),
    Extension(DAYS[3], f"{COUNCILS[5]}:EX", "48450000", date(2027, 6, 30), date(2027, 6, 30), 36),
    # Nobody shares a price of these two categories; of the last one prices are withheld.
    Extension(DAYS[6], f"{COUNCILS[6]}:EX", "90500000", date(2027, 1, 31), date(2027, 1, 31), 24),
    Extension(DAYS[18], f"{COUNCILS[7]}:EX", "90500000", date(2027, 8, 31), date(2027, 8, 31), 24),
    Extension(DAYS[22], f"{COUNCILS[8]}:EX", "50000000", date(2027, 12, 31), date(2027, 12, 31), 48),
    Extension(DAYS[15], f"{COUNCILS[9]}:EX", "72400000", date(2027, 4, 30), date(2027, 4, 30), 24),
    Extension(DAYS[28], f"{COUNCILS[10]}:EX", "72400000", date(2028, 4, 30), date(2028, 4, 30), 36),
    Extension(DAYS[37], f"{COUNCILS[11]}:EX", "90500000", date(2028, 4, 30), date(2028, 4, 30), 36),
)

_EXTENSION_ENDS: Final = ((3, 29, True), (6, 21, True), (7, 30, False))
"""Which plans to extend end when, and whether the contract was extended: without benchmark if nobody decided."""

DECISIONS: Final = (
    Said(DAYS[11], EXTENSIONS[0].plan_id, "decided", "benchmark", said={"decision": "extend-shorter"}),
    Said(DAYS[15], EXTENSIONS[1].plan_id, "decided", "benchmark", said={"decision": "tender-jointly"}),
    Said(DAYS[17], EXTENSIONS[3].plan_id, "decided", "benchmark", said={"decision": "extend"}),
    Said(DAYS[24], EXTENSIONS[8].plan_id, "decided", "benchmark", said={"decision": "extend"}),
)

ENQUIRIES: Final = (
    # On the due day of the first extension's request, of which nobody else has said anything.
    Said(
        DAYS[10],
        f"{COUNCILS[20]}:HR",
        "enquiry",
        "benchmark",
        EXTENSIONS[0].plan_id,
        said={"outcome": "supplied", "contract_id": f"{COUNCILS[20]}:HR"},
    ),
    Said(DAYS[10], f"{COUNCILS[21]}:HR", "enquiry", "benchmark", EXTENSIONS[0].plan_id, said={"outcome": "withheld"}),
)
"""What councils answer that were asked what they pay."""


def extension_plans() -> Iterator[PlanEvent]:
    """The plans to extend a contract."""
    for number, one in enumerate(EXTENSIONS):
        need = Need("EX", f"Extension of contract {number}", one.cpv, one.current_end - timedelta(days=60))
        values = {
            "description": f"Extension {number} of the contract that runs now, by option.",
            "kind": "extension",
            "current_contract": {"reference": f"C-{number}", "end": one.current_end},
            "extension": {"months": one.months},
            "sharing": "private" if number == 4 else "open",
        }
        yield PlanEvent(one.day, plan(one.plan_id, need, **values))
        for which, day, awarded in _EXTENSION_ENDS:
            if which == number:
                yield PlanEvent(DAYS[day], gone(one.plan_id, 2, awarded=awarded))


def notices() -> Iterator[PlanEvent]:
    """Tender notices of six councils for ICT; three had shared the procurement: one too late, two in time."""
    for number, day in enumerate((10, 13, 16, 21, 27, 34)):
        council, need = COUNCILS[number], Need(f"N{number}", f"Tender {number} for licences", "48000000", DAYS[day])
        about = {"procurement": f"ocds-h6vhtk-{number:06}", "kind": "new"}
        if number < 3:
            shared = DAYS[day - (2 if number == 0 else 8)]
            yield PlanEvent(shared, plan(f"{council}:OWN-{number}", need, **about))
        if number == 2:  # The council's own tender and the notice of it are one procurement.
            yield PlanEvent(DAYS[day], plan(f"{council}:OWN-{number}", need, 2, stage="tendering", **about))
        notice = plan(f"{council}:NOTICE-{number}", need, stage="tendering", origin=Origin.NOTICE, **about)
        yield PlanEvent(DAYS[day], notice, notice=True)


def contracts() -> Iterator[ContractEvent]:
    """Six HR contracts of three suppliers make a benchmark cell. Of others prices are withheld, or ratings shared."""
    for number in range(6):
        prices = [{"item": "licence", "unit": "user-year", "quantity": 2000 + number, "unit_price": 15.0 + number}]
        yield _contract(1 + number, COUNCILS[20 + number], "HR", f"Supplier {number % 3}", "48450000", prices=prices)
    price = [{"item": "hosting", "unit": "server-year", "quantity": 40, "unit_price": 900.0}]
    yield _contract(7, COUNCILS[26], "HOST", "Supplier 7", "72400000", prices=price)
    for number in range(2):
        yield _contract(8 + number, COUNCILS[27 + number], "HOST", "Supplier 8", "72400000", withheld="s94")
    rating = {"period": {"earliest": "2026-01-01", "latest": "2026-12-31"}, "indicator": "Uptime", "rating": "good"}
    for number in range(4):
        shared = {"public": "2027-06-01"} if number % 2 else {"signatories": "2027-01-15", "public": "2027-10-01"}
        yield _contract(
            16 + 3 * number,
            COUNCILS[30 + number],
            "OPS",
            "Supplier 9",
            "50000000",
            performance=[rating],
            sharing=shared,
        )
    # The fourth extension's contract has been extended before: its first end lies further back.
    yield _contract(
        10, COUNCILS[3], "C-3", "Supplier 1", "48450000", first_end="2026-06-30", end="2027-05-31", sharing={}
    )
    # One says more later, one is withdrawn.
    yield _contract(
        20, COUNCILS[27], "HOST", "Supplier 8", "72400000", revision=2, withheld="s94", performance=[rating]
    )
    gone = {"contract_id": f"{COUNCILS[25]}:HR", "revision": 2, "authority": COUNCILS[25]}
    yield ContractEvent(DAYS[33], ContractWithdrawn.model_validate(gone))


def _contract(day: int, council: str, reference: str, supplier: str, cpv: str, **changes: Any) -> ContractEvent:
    values: dict[str, Any] = {
        "contract_id": f"{council}:{reference}",
        "revision": 1,
        "authority": council,
        "title": f"Contract {reference}",
        "supplier": f"{supplier} Ltd",
        "cpv": [cpv],
        "start": "2025-04-01",
        "end": "2030-03-31",
        "sharing": {"signatories": "2026-07-01"},
    }
    return ContractEvent(DAYS[day], ContractPublished.model_validate({**values, **changes}))


def routes(plans: Sequence[PlanEvent]) -> Iterator[Said]:
    """Of every second plan that goes to tender the frameworks were looked at two weeks before, of every fourth more."""
    tenders = [
        one
        for one in plans
        if not one.notice and isinstance(one.payload, PlanState) and one.payload.stage == "tendering"
    ]
    for number, one in enumerate(tenders[::2]):
        before = one.day - timedelta(weeks=2)
        route = {"asked_at": before.isoformat(), "by": "Category manager"}
        looked = (
            {"step": "framework", "outcome": "unsuitable"} if number % 2 else {"step": "coalition", "outcome": "chosen"}
        )
        yield Said(before, one.payload.plan_id, "route", "plan", said=route | looked)
        if number % 2:
            late = {"step": "new", "outcome": "chosen"}
            yield Said(one.day, one.payload.plan_id, "route", "plan", said=route | late)
