"""Every transition in the life of a pair, without a database."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest

from matching.assessment import Assessment, Band, Component, Gate
from matching.engine import Generation
from matching.plan import Kind, Plan, Sharing, Stage, Status, Window
from services.domain.opportunity import (
    BELOW_THRESHOLD,
    NO_LONGER,
    AssessedPair,
    SettlementContext,
    Transition,
    next_state,
    withdrawal,
)
from services.domain.opportunity_events import Cause, EventKind
from tests.support.ids import KEY

DAY = date(2026, 11, 1)
LATER = date(2026, 12, 1)
JUNE = Window(date(2027, 6, 1), date(2027, 6, 30))
AUTUMN = Window(date(2027, 9, 1), date(2027, 11, 30))
CONTEXT = SettlementContext(DAY, Generation("policy", "statistics", "model"), KEY)


@dataclass
class Row:
    """The columns that a transition reads and writes."""

    revision: int = 0
    material_revision: int = 0
    status: str = ""
    band: str = ""
    payload: dict[str, Any] | None = None
    last_notified: dict[str, Any] | None = None
    content_hash: str = ""
    score: float = 0.0
    assessed_as_of: date | None = None
    review_on: date | None = None
    revision_a: int = 0
    revision_b: int = 0
    generation: str = ""


def plan(plan_id: str, sharing: Sharing = Sharing.OPEN) -> Plan:
    return Plan(
        plan_id=plan_id,
        revision=3,
        authority=plan_id.split(":")[0],
        title="Payroll system",
        description="",
        kind=Kind.NEW,
        stage=Stage.PLANNED,
        status=Status.ACTIVE,
        cpv=(),
        value=100_000.0,
        tender_window=JUNE,
        contract_start=None,
        contract_end=None,
        extension_months=0,
        regions=(),
        sharing=sharing,
    )


PLANS = (plan("E08000035:HR-1"), plan("E08000036:HR-2"))


def pair(
    band: Band = Band.NOTIFY,
    score: float = 80.0,
    *,
    window: Window | None = JUNE,
    gates: tuple[Gate, ...] = (),
    plans: tuple[Plan, Plan] = PLANS,
    reasons: tuple[str, ...] = ("Both buy payroll.",),
) -> AssessedPair:
    one = Component(1.0)
    ids = (plans[0].plan_id, plans[1].plan_id)
    found = Assessment(ids, score, band, band, one, one, one, one, gates, reasons, (), window, None, 80, LATER)
    return AssessedPair(plans, found, Cause.build(KEY, "event-1"))


def after(current: Row | None, given: AssessedPair, context: SettlementContext = CONTEXT) -> tuple[Row, Transition]:
    transition = next_state(current, given, context)  # type: ignore[arg-type]
    assert transition is not None
    return replace(current or Row(), **transition.columns), transition


ACTIVE, _ = after(None, pair())
WITHDRAWN, _ = after(ACTIVE, pair(Band.NONE, 5.0))


def test_a_pair_that_is_no_opportunity_is_never_written() -> None:
    assert next_state(None, pair(Band.NONE, 5.0), CONTEXT) is None


def test_a_withdrawn_opportunity_stays_as_it_is() -> None:
    assert next_state(WITHDRAWN, pair(Band.NONE, 1.0), CONTEXT) is None  # type: ignore[arg-type]


def test_the_first_assessment_identifies() -> None:
    row, transition = after(None, pair())
    assert (transition.kind, row.status, row.band) == (EventKind.IDENTIFIED, "active", "notify")
    assert (row.revision, row.material_revision, row.score) == (1, 1, 80.0)
    assert (row.assessed_as_of, row.review_on, row.revision_a, row.generation) == (DAY, LATER, 3, CONTEXT.generation.id)
    assert row.last_notified is not None
    assert row.last_notified["band"] == "notify"


def test_the_same_content_on_another_day_is_no_event() -> None:
    row, transition = after(ACTIVE, pair(), replace(CONTEXT, as_of=LATER))
    assert (transition.kind, transition.state) == (None, None)
    assert (row.assessed_as_of, row.revision, row.payload) == (LATER, 1, ACTIVE.payload)


def test_a_change_that_is_no_news_keeps_what_was_told() -> None:
    row, transition = after(ACTIVE, pair(score=82.0))
    assert (transition.kind, row.revision, row.material_revision) == (EventKind.UPDATED, 2, 1)
    assert row.last_notified == ACTIVE.last_notified


def test_news_raises_the_material_revision() -> None:
    row, transition = after(ACTIVE, pair(window=AUTUMN))
    assert (transition.kind, row.revision, row.material_revision) == (EventKind.UPDATED, 2, 2)
    assert row.last_notified != ACTIVE.last_notified


@pytest.mark.parametrize(
    ("gates", "reason"),
    [((), BELOW_THRESHOLD), ((Gate("no-common-window", "The windows don't meet."),), "The windows don't meet.")],
    ids=["below the threshold", "gated"],
)
def test_a_pair_that_no_longer_matches_is_withdrawn_with_the_reason(gates: tuple[Gate, ...], reason: str) -> None:
    row, transition = after(ACTIVE, pair(Band.NONE, 5.0, gates=gates))
    assert transition.state is not None
    assert (transition.kind, row.status, transition.state.reasons) == (EventKind.WITHDRAWN, "withdrawn", (reason,))
    assert (row.revision, row.material_revision) == (2, 2)


def test_a_withdrawn_opportunity_keeps_the_band_in_which_it_was_told() -> None:
    assert WITHDRAWN.band == "notify"


def test_an_opportunity_found_again_keeps_its_count() -> None:
    row, transition = after(WITHDRAWN, pair())
    assert (transition.kind, row.status) == (EventKind.IDENTIFIED, "active")
    assert (row.revision, row.material_revision) == (3, 3)


def test_a_plan_that_became_private_withdraws_silently() -> None:
    hidden = (PLANS[0], replace(PLANS[1], title="Secret title", sharing=Sharing.PRIVATE))
    row, transition = after(ACTIVE, pair(Band.NONE, 0.0, plans=hidden))
    assert transition.state is not None
    assert (transition.kind, transition.state.reasons) == (EventKind.WITHDRAWN, (NO_LONGER,))
    assert all(side.title is None and side.plan_id is None for side in transition.state.plans)
    assert (row.status, transition.state.score) == ("withdrawn", None)


def test_a_score_that_is_not_shared_moves_without_an_event() -> None:
    plans = (PLANS[0], replace(PLANS[1], sharing=Sharing.MATCH_ONLY))
    told, _ = after(None, pair(plans=plans))
    row, transition = after(told, pair(score=83.0, plans=plans))
    assert (transition.kind, row.revision, row.score) == (None, 1, 83.0)


def test_a_withdrawal_without_an_assessment_repeats_what_was_said() -> None:
    transition = withdrawal(ACTIVE, "A plan was set aside.")  # type: ignore[arg-type]
    assert transition.state is not None
    assert (transition.kind, transition.state.status) == (EventKind.WITHDRAWN, "withdrawn")
    assert transition.state.plans[0].title == "Payroll system"
    assert transition.columns["last_notified"]["status"] == "withdrawn"
