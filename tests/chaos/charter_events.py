"""Contracts, benchmarks and routes beside the answers of a fault run: what is sent, and what must have come of it.

Six councils share a price before anything breaks, which makes a benchmark. Six others plan to extend a contract: half
of them ask for that benchmark, half for one that nobody has. The second half is put to three councils with a contract
of that kind. The requests, the answers, the decisions and other councils' contracts then flow under faults, and so do
the routes that councils look at.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, cast

from events.benchmarks import BENCHMARK_PAYLOADS, BenchmarkRequestState
from events.cloudevents import decode
from events.contracts import CONTRACT_PAYLOADS, ContractPayload, ContractPublished, ContractWithdrawn
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetter
from events.plans import PlanPublished
from events.responses import EnquiryAnswer, ResponseDecided, ResponseEnquiry, ResponseRoute, RouteOutcome, RouteStep
from events.topics import BENCHMARKS, CONTRACTS, DEAD_CONTRACTS
from services.application.routes import load_record
from services.domain.ids import plan_subject
from services.domain.route import RouteRecord
from services.store.database import Sessions
from tests.chaos.cluster import Arena
from tests.chaos.stream import AUTHORITIES
from tests.pipeline import records_of

PRICED: Final = AUTHORITIES[30:36]
EXTENDING: Final = AUTHORITIES[36:42]
SHARING: Final = AUTHORITIES[42:47]
HOLDING: Final = AUTHORITIES[47:50]
RARE: Final = "90500000"
DECISIONS: Final = ("extend", "extend-shorter", "tender", "tender-jointly")


def priced_contracts() -> list[ContractPublished]:
    """Contracts of three suppliers, whose prices make one benchmark of the quarter before the run's day.

    Three more are of a kind that has too few for a benchmark.
    """
    opened = date(2026, 7, 1)
    return [
        *(
            _contract(authority, 1, f"Supplier {number % 3} Ltd", 15.0 + number, opened)
            for number, authority in enumerate(PRICED)
        ),
        *(_contract(authority, 1, "Supplier 8 Ltd", 30.0, opened, RARE) for authority in HOLDING),
    ]


def extensions() -> list[PlanPublished]:
    """Plans to extend a contract by two years, so far apart in time that no two of them match."""
    return [
        PlanPublished.model_validate(
            {
                "plan_id": f"{authority}:EXTENSION",
                "revision": 1,
                "authority": authority,
                "title": f"Extension of contract {number}",
                "kind": "extension",
                "cpv": ["48450000" if number % 2 else RARE],
                "current_contract": {"reference": f"C-{number}", "end": "2027-03-31"},
                "extension": {"months": 24},
                "tender_window": {"earliest": date(2028 + 2 * number, 1, 1), "latest": date(2028 + 2 * number, 2, 1)},
            }
        )
        for number, authority in enumerate(EXTENDING)
    ]


@dataclass
class CharterEvents:
    """Chooses what councils share of contracts, and how they decide on extensions. `newest`: by contract, what the
    broker has."""

    chance: random.Random
    newest: dict[str, ContractPayload] = field(default_factory=dict)
    _sent: list[ContractPayload] = field(default_factory=list)

    def contract(self) -> ContractPayload:
        """The next revision of some contract; now and then one of before, or other content under the same revision."""
        if self._sent and self.chance.random() < 0.2:
            return self.chance.choice(self._sent)
        authority = self.chance.choice(SHARING)
        last = self.newest.get(f"{authority}:C")
        revision = last.revision if last else 0
        if last is None or self.chance.random() < 0.85:
            revision += 1
        if self.chance.random() < 0.15:
            return ContractWithdrawn(contract_id=f"{authority}:C", revision=revision, authority=authority)
        price = round(self.chance.uniform(10, 20), 2)
        return _contract(authority, revision, "Supplier 9 Ltd", price, date(2026, 11, 1))

    def note(self, payload: ContractPayload) -> None:
        """The broker has it."""
        self._sent = [*self._sent[-20:], payload]
        last = self.newest.get(payload.contract_id)
        if last is None or last.revision < payload.revision:
            self.newest[payload.contract_id] = payload

    def decision(self, arena: Arena, number: int) -> ResponseDecided | None:
        """What a council decides on its extension, once it has asked for a benchmark; now and then once more."""
        rows = arena.sql("SELECT request_id, plan_id, authority, revision FROM benchmark_requests ORDER BY request_id")
        if not rows:
            return None
        request_id, plan_id, authority, revision = self.chance.choice(rows)
        return ResponseDecided.model_validate(
            {
                "response_id": f"answer-{number:06}",
                "authority": authority,
                "plan_id": plan_id,
                "subject": "benchmark",
                "subject_id": request_id,
                "subject_revision": revision,
                "decision": self.chance.choice(DECISIONS),
            }
        )

    def answer(self, arena: Arena, number: int) -> ResponseEnquiry | None:
        """What a council answers that was asked what it pays; now and then one that was not."""
        rows = arena.sql("SELECT request_id, revision FROM benchmark_requests ORDER BY request_id")
        if not rows:
            return None
        request_id, revision = self.chance.choice(rows)
        authority, outcome = self.chance.choice((*HOLDING, *EXTENDING)), self.chance.choice(tuple(EnquiryAnswer))
        supplied = outcome is EnquiryAnswer.SUPPLIED
        return ResponseEnquiry(
            response_id=f"answer-{number:06}",
            authority=authority,
            subject="benchmark",
            subject_id=request_id,
            subject_revision=revision,
            outcome=outcome,
            contract_id=f"{authority}:C" if supplied else None,
        )

    def route(self, fields: dict[str, Any]) -> ResponseRoute:
        """A route that a council looked at: for its coalition, or for its plan alone."""
        if self.chance.random() < 0.5:
            fields = fields | {"subject": "plan", "subject_id": plan_subject(fields["plan_id"])}
        looked = {"asked_at": "2026-11-20", "by": f"Category manager {self.chance.randrange(100)}"}
        step, outcome = self.chance.choice(list(RouteStep)), self.chance.choice(list(RouteOutcome))
        return ResponseRoute.model_validate(fields | looked | {"step": step, "outcome": outcome})

    def all_kept(self, arena: Arena) -> bool:
        """Whether every contract is at the newest revision that the broker has, and every extension has asked."""
        kept = dict(arena.sql("SELECT contract_id, revision FROM contracts"))
        ((asked,),) = arena.sql("SELECT count(*) FROM benchmark_requests")
        newest = {contract_id: payload.revision for contract_id, payload in self.newest.items()}
        return bool(newest.items() <= kept.items() and asked == len(EXTENDING))


async def compare_routes(standing: Sessions, rebuilt: Sessions, plan_ids: Sequence[str]) -> list[str]:
    """The plans whose route records are not those that were rebuilt from the topic."""
    found, wanted = await _route_records(standing, plan_ids), await _route_records(rebuilt, plan_ids)
    return [
        f"routes of {plan_id}: are {found[plan_id]}, ought to be {wanted[plan_id]}"
        for plan_id in plan_ids
        if found[plan_id] != wanted[plan_id]
    ]


async def _route_records(sessions: Sessions, plan_ids: Sequence[str]) -> dict[str, RouteRecord]:
    """The route record of each plan, as its council sees it."""
    async with sessions() as session:
        return {plan_id: (await load_record(session, plan_id)).record for plan_id in plan_ids}


def judge_charter(arena: Arena) -> list[str]:
    """What of contracts and benchmarks is not as their topics say; the requests themselves are compared elsewhere."""
    return [*_contracts(arena), *_benchmarks(arena), *_notices(arena)]


def _contracts(arena: Arena) -> Iterator[str]:
    wanted: dict[str, tuple[int, Any]] = {}
    conflicts = set()
    records = records_of(arena.bootstrap, CONTRACTS.name, quiet_seconds=2.0)
    for record in sorted(records, key=lambda one: (one.partition, one.offset)):
        payload = cast(ContractPayload, decode(record.headers, record.value, CONTRACT_PAYLOADS).payload)
        content = payload.model_dump(mode="json") if isinstance(payload, ContractPublished) else None
        known = wanted.get(payload.contract_id, (0, None))
        if payload.revision > known[0]:
            wanted[payload.contract_id] = (payload.revision, content)
        elif (payload.revision, content) != known and payload.revision == known[0]:
            conflicts.add((record.partition, record.offset))
    rows = arena.sql("SELECT contract_id, revision, payload FROM contracts")
    found = {contract_id: (revision, payload) for contract_id, revision, payload in rows}
    for contract_id in sorted(found.keys() | wanted.keys()):
        if found.get(contract_id) != wanted.get(contract_id):
            yield f"contract {contract_id}: is {found.get(contract_id)}, ought to be {wanted.get(contract_id)}"
    letters = [
        cast(DeadLetter, decode(record.headers, record.value, DEAD_LETTER_PAYLOADS).payload).origin
        for record in records_of(arena.bootstrap, DEAD_CONTRACTS.name, quiet_seconds=2.0)
    ]
    places = {(origin.partition, origin.offset) for origin in letters}
    if places != conflicts:
        yield f"dead letters of contracts: {sorted(places ^ conflicts)} are in one of topic and letters only"


def _benchmarks(arena: Arena) -> Iterator[str]:
    """Each request's events are its revisions, each told in one way."""
    told: dict[str, dict[int, BenchmarkRequestState]] = defaultdict(dict)
    for record in records_of(arena.bootstrap, BENCHMARKS.name, quiet_seconds=2.0):
        state = cast(BenchmarkRequestState, decode(record.headers, record.value, BENCHMARK_PAYLOADS).payload)
        if told[state.request_id].setdefault(state.revision, state) != state:
            yield f"request {state.request_id}: revision {state.revision} was told in two ways"
    rows = dict(arena.sql("SELECT request_id, revision FROM benchmark_requests"))
    for request_id in sorted(rows.keys() | told.keys()):
        revisions = sorted(told[request_id])
        if revisions != list(range(1, rows.get(request_id, 0) + 1)):
            yield f"request {request_id} stands at {rows.get(request_id)} and its events are {revisions}"


def _notices(arena: Arena) -> Iterator[str]:
    """Each extension's council, and each that was asked, gets one email of each kind."""
    rows = arena.sql(
        "SELECT request_id, authority, kind, count(*) FROM benchmark_notices GROUP BY 1, 2, 3 HAVING count(*) > 1"
    )
    yield from (f"request {row[0]}: {row[3]} emails of kind {row[2]} to {row[1]}" for row in rows)
    ((asked,),) = arena.sql("SELECT count(*) FROM benchmark_enquiries")
    ((told,),) = arena.sql("SELECT count(*) FROM benchmark_notices WHERE kind = 'enquiry'")
    rare = sum(RARE in plan.cpv for plan in extensions())
    # Each one's plan names a contract of the kind, too, so that they ask each other.
    wanted = rare * (len(HOLDING) + rare - 1)
    if (asked, told) != (wanted, wanted):
        yield f"{asked} councils were asked in {told} emails, and {wanted} ought to be"
    untold = arena.sql(
        "SELECT request_id FROM benchmark_requests r WHERE NOT EXISTS"
        " (SELECT 1 FROM benchmark_notices n WHERE n.request_id = r.request_id AND n.kind = 'request')"
    )
    yield from (f"request {request_id}: its council was never asked" for (request_id,) in untold)


def _contract(
    authority: str, revision: int, supplier: str, price: float, opens: date, cpv: str = "48450000"
) -> ContractPublished:
    return ContractPublished.model_validate(
        {
            "contract_id": f"{authority}:C",
            "revision": revision,
            "authority": authority,
            "title": "HR and payroll system",
            "supplier": supplier,
            "cpv": [cpv],
            "start": "2024-04-01",
            "end": "2029-03-31",
            "prices": [{"item": "licence", "unit": "user-year", "quantity": 2000, "unit_price": price}],
            "sharing": {"signatories": opens},
        }
    )
