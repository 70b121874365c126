"""The programme's measures: each boundary on its day, and nothing counted that happened later."""

from datetime import date, timedelta

import pytest

from events.responses import EnquiryAnswer, RouteStep
from services.application.programme import show_unit, show_value
from services.domain.benchmark_requests import BenchmarkRequest, BenchmarkStatus
from services.domain.ids import pair_coalition_id
from services.domain.programme import compliance, contracts, funnel, shares
from services.domain.programme.funnel import Stage
from services.domain.programme.records import (
    CharterStatus,
    ProgrammeRevision,
    RecordedAnswer,
    RecordedDecision,
    RecordedEnquiry,
    RecordedPair,
    RevisionKind,
    SharedContract,
    Signatory,
    status_on,
)
from services.domain.programme.report import Measure, Records, build_scene, measure_all
from services.domain.programme.shares import Lateness, build_histories, coverage, lateness, stale

DAY = date(2026, 12, 1)
LEEDS, YORK = "E08000035", "E06000014"


def _state(plan: str, on: date, **changes: object) -> ProgrammeRevision:
    values: dict[str, object] = {"own": True, "shared": True, "earliest": date(2027, 6, 1), "value": 100.0}
    return ProgrammeRevision(plan, plan.split(":")[0], on, RevisionKind.STATE, **(values | changes))  # type: ignore[arg-type]


def _said(number: int, plan: str, kind: str, on: date = DAY, **changes: object) -> RecordedAnswer:
    values: dict[str, object] = {"subject": "coalition", "subject_id": "c"}
    authority = plan.split(":")[0]
    return RecordedAnswer(f"r{number}", authority, plan, kind=kind, on=on, **(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("days", "kind"),
    [
        (366, Lateness.OVER_12_MONTHS),
        (365, Lateness.FROM_6_TO_12_MONTHS),
        (182, Lateness.FROM_6_TO_12_MONTHS),
        (181, Lateness.UNDER_6_MONTHS),
        (90, Lateness.UNDER_6_MONTHS),
        (89, Lateness.UNDER_90_DAYS),
        (0, Lateness.UNDER_90_DAYS),
        (-1, Lateness.AFTER),
    ],
)
def test_the_classes_of_lateness(days: int, kind: Lateness) -> None:
    assert lateness(days) is kind


@pytest.mark.parametrize(
    ("signed", "lapsed", "withdrawn", "status"),
    [
        (None, None, None, CharterStatus.NOT_SIGNED),
        (0, None, None, CharterStatus.SIGNED),
        (1, None, None, CharterStatus.NOT_SIGNED),
        (-9, -5, None, CharterStatus.LAPSED),
        (-4, -5, None, CharterStatus.SIGNED),
        (-9, 1, 1, CharterStatus.SIGNED),
        (-9, -5, -5, CharterStatus.WITHDRAWN),
        (-9, -2, -5, CharterStatus.LAPSED),
    ],
)
def test_whoever_signed_stands_as_happened_last(
    signed: int | None, lapsed: int | None, withdrawn: int | None, status: CharterStatus
) -> None:
    days = [None if one is None else DAY + timedelta(one) for one in (signed, lapsed, withdrawn)]
    one = Signatory(LEEDS, "Leeds", "", *days)
    assert status_on(one, DAY) is status


def test_the_first_sharing_counts_and_the_window_as_it_stands() -> None:
    log = [
        _state("E1:A", date(2026, 1, 1), shared=False),
        _state("E1:A", date(2026, 2, 1), own=False),
        _state("E1:A", date(2026, 3, 1)),
        _state("E1:A", date(2026, 9, 1), earliest=date(2027, 3, 1)),
        _state("E1:A", date(2027, 1, 1), earliest=date(2028, 3, 1)),
    ]
    plan = build_histories(log, DAY)["E1:A"]
    assert (plan.first_shared, plan.last_own, plan.lead_days) == (date(2026, 3, 1), date(2026, 9, 1), 365)
    assert build_histories(log, date(2026, 2, 15))["E1:A"].lead_days is None


def test_a_living_plan_is_stale_after_six_months() -> None:
    limit = DAY - timedelta(days=shares.STALE_DAYS)
    log = [
        _state("E1:OLD", limit - timedelta(days=1)),
        _state("E1:JUST", limit),
        _state("E1:NOTICE", limit - timedelta(days=9), own=False),
        _state("E1:PRIVATE", limit - timedelta(days=9), shared=False),
        _state("E1:OVER", limit - timedelta(days=9)),
        ProgrammeRevision("E1:OVER", "E1", limit, RevisionKind.AWARDED, own=True),
    ]
    assert [one.plan_id for one in stale(build_histories(log, DAY).values(), DAY)] == ["E1:OLD"]


def test_a_tender_counts_as_foreseen_ninety_days_before() -> None:
    def tender(plan: str, days: int, procurement: str) -> list[ProgrammeRevision]:
        about = {"procurement": procurement, "ict": True}
        notice = _state(f"{plan}-N", DAY, own=False, tendering=True, **about)
        return [_state(plan, DAY - timedelta(days=days), procurement=procurement), notice]

    log = [
        *tender(f"{LEEDS}:A", 90, "ocds-1"),
        *tender(f"{LEEDS}:B", 89, "ocds-2"),
        *tender(f"{YORK}:C", 200, "ocds-3"),
    ]
    register = [Signatory(LEEDS, "Leeds", signed_on=date(2026, 4, 1), mailbox=True), Signatory(YORK, "York")]
    found = coverage(build_histories(log, DAY), register, DAY)
    assert (found.signed, found.sharing, found.mailboxes) == (1, 1, 1)
    assert (found.tenders, found.tenders_foreseen) == (2, 1)


def test_an_own_tender_is_not_counted_beside_its_notice() -> None:
    values = {"ict": True, "procurement": "ocds-1", "tendering": True}
    log = [_state(f"{LEEDS}:OWN", DAY, **values), _state(f"{LEEDS}:NOTICE", DAY, own=False, shared=False, **values)]
    register = [Signatory(LEEDS, "Leeds", signed_on=date(2026, 4, 1))]
    assert coverage(build_histories(log, DAY), register, DAY).tenders == 1


def test_two_councils_that_number_alike_start_two_coalitions() -> None:
    asked = {"subject": "opportunity", "subject_id": "pair"}
    answers = [_said(1, plan, "invited", **asked) for plan in ("E1:A", "E2:B")]
    answers.append(_said(1, "E1:A", "invited", acting_party="GB-X-OFFICE", **asked))
    assert len(funnel.memberships(answers)) == 3


def test_stages_need_two_members_and_whoever_leaves_is_out() -> None:
    later = DAY + timedelta(days=10)
    minted = pair_coalition_id("E1", "r1", "pair")
    answers = [
        _said(1, "E1:A", "invited", subject="opportunity", subject_id="pair", asked=("E2:B",), reply_by=later),
        _said(2, "E2:B", "accept", later, subject_id=minted),
        _said(3, "E3:C", "join", later, subject_id="alone"),
        _said(4, "E4:D", "interested", subject_id="x"),
        _said(5, "E5:E", "other-dates", later, subject_id="x"),
        _said(6, "E6:F", "accept", subject_id=minted),
        _said(7, "E6:F", "leave", subject_id=minted),
    ]
    award = ProgrammeRevision("E2:B", "E2", later + timedelta(days=9), RevisionKind.AWARDED, own=True)
    log = [_state("E1:A", DAY, tendering=True), _state("E2:B", DAY), award]
    days = funnel.reach(build_histories(log, date.max), [], answers)
    assert days[Stage.COALITION] == {"E1:A": later, "E2:B": later}
    assert days[Stage.MUTUAL] == {"E1:A": later, "E2:B": later, "E4:D": later, "E5:E": later}
    assert days[Stage.MARKET] == {"E1:A": later}
    assert days[Stage.AWARDED] == {"E2:B": later + timedelta(days=9)}
    assert funnel.days_between(days, Stage.ANSWERED, Stage.COALITION) == 5.0
    found = compliance.invitations(answers)
    assert (found.sent, found.short, found.accepted, found.silent) == (1, 1, 2, 0)
    # E6:F was not asked: what it says answers no invitation.
    assert (found.working_days, found.days_to_answer) == (8.0, 10.0)
    assert compliance.invitations([]).days_to_answer is None
    assert funnel.count_answers(answers)["accept"] == 2


def test_a_plan_that_is_withdrawn_or_hidden_is_in_no_coalition() -> None:
    later = DAY + timedelta(days=10)
    answers = [
        _said(1, "E1:A", "invited", asked=("E2:B", "E3:C", "E4:D"), reply_by=later),
        *(_said(2 + number, plan, "accept") for number, plan in enumerate(("E2:B", "E3:C", "E4:D"))),
    ]
    log = [_state(plan, DAY) for plan in ("E1:A", "E2:B", "E3:C", "E4:D")]
    gone = ProgrammeRevision("E3:C", "E3", later, RevisionKind.WITHDRAWN, own=True)
    hidden = _state("E4:D", later, shared=False)
    assert len(funnel.reach(build_histories(log, DAY), [], answers)[Stage.COALITION]) == 4
    after = build_histories([*log, gone, hidden], later)
    assert funnel.reach(after, [], answers)[Stage.COALITION] == {"E1:A": DAY, "E2:B": DAY}
    assert funnel.reach({**after, "E2:B": after["E3:C"]}, [], answers)[Stage.COALITION] == {}


def test_a_plan_that_goes_to_market_before_the_lead_has_left() -> None:
    later = DAY + timedelta(days=10)
    answers = [_said(1, "E1:A", "invited"), _said(2, "E2:B", "accept"), _said(3, "E3:C", "accept")]
    log = [_state(plan, DAY) for plan in ("E1:A", "E2:B", "E3:C")]
    alone = _state("E2:B", later, tendering=True)
    award = ProgrammeRevision("E3:C", "E3", later, RevisionKind.AWARDED, own=True)
    lead = _state("E1:A", DAY, tendering=True)
    for events, left in (([], 3), ([alone], 2), ([alone, award], 0), ([lead, alone, award], 3)):
        days = funnel.reach(build_histories([*log, *events], later), [], answers)
        assert len(days[Stage.COALITION]) == left
    taken_over = [*answers, _said(4, "E2:B", "lead")]
    assert set(funnel.reach(build_histories([*log, alone], later), [], taken_over)[Stage.COALITION]) == {
        "E1:A",
        "E2:B",
        "E3:C",
    }


def test_people_read_words_in_place_of_codes() -> None:
    answers = [_said(1, "E1:A", "accept"), _said(2, "E2:B", "not-the-same", reason="wrong-place")]
    names = {one.name for one in measure_all(build_scene(Records(answers=answers), DAY))}
    assert {"answered: accepted", "answered: not the same", "reason: wrong place", "no benchmark available"} <= names


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (110_775_000.0, "pounds", ("\u00a3110,775,000", "")),
        (1.0, "plans", ("1", "plan")),
        (1.0, "authorities", ("1", "authority")),
        (2.0, "plans", ("2", "plans")),
        (None, "days", ("none", "")),
    ],
)
def test_a_number_has_its_unit_as_people_write_it(value: float | None, unit: str, shown: tuple[str, str]) -> None:
    one = Measure("Worth", "value of matched plans", value, unit, "")
    assert (show_value(one), show_unit(one)) == shown


def test_an_invitation_counts_every_way_to_say_no() -> None:
    asked = ("E2:B", "E3:C", "E4:D", "E5:E", "E6:F")
    answers = [
        # Said of the suggestion, before anybody was asked.
        _said(0, "E7:G", "not-this-time"),
        _said(1, "E1:A", "invited", asked=asked, reply_by=DAY + timedelta(days=60)),
        _said(2, "E2:B", "accept"),
        _said(3, "E3:C", "not-this-time"),
        _said(4, "E4:D", "decline"),
        _said(5, "E5:E", "accept"),
        _said(6, "E5:E", "leave"),
        _said(7, "E8:H", "join"),
    ]
    found = compliance.invitations(answers)
    assert (found.sent, found.short) == (1, 0)
    assert (found.asked, found.accepted, found.declined, found.silent) == (6, 2, 2, 1)


def test_a_convened_group_counts_as_an_open_invitation() -> None:
    convened = _said(1, "", "convened", asked=("E1:A", "E2:B"), reply_by=DAY)
    found = compliance.invitations([convened, _said(2, "E1:A", "accept")])
    assert (found.sent, found.asked, found.accepted, found.silent) == (1, 2, 1, 1)


@pytest.mark.parametrize(("days", "short"), [(28, 0), (27, 1)])
def test_short_invitations_are_counted_in_working_days(days: int, short: int) -> None:
    said = [_said(1, "E1:A", "invited", date(2026, 9, 1), reply_by=date(2026, 9, 1) + timedelta(days=days))]
    assert compliance.invitations(said).short == short


def test_an_answer_counts_until_it_was_taken_back() -> None:
    said = _said(1, "E1:A", "interested", undone_on=DAY + timedelta(days=3))
    records = Records(answers=[said])
    assert build_scene(records, DAY + timedelta(days=2)).answers == [said]
    assert build_scene(records, DAY + timedelta(days=3)).answers == []


def test_potential_counts_each_plan_of_a_standing_pair_once() -> None:
    log = [_state("E1:A", DAY), _state("E2:B", DAY, value=50.0), _state("E3:C", DAY, value=None), _state("E4:D", DAY)]
    pairs = [
        RecordedPair("1", ("E1:A", "E2:B"), "notify", DAY),
        RecordedPair("2", ("E1:A", "E3:C"), "digest", DAY),
        RecordedPair("3", ("E1:A", "E4:D"), "feed", DAY),
        RecordedPair("4", ("E2:B", "E4:D"), "notify", DAY - timedelta(days=9), DAY),
    ]
    assert funnel.potential(build_histories(log, DAY), pairs, DAY) == (3, 150.0)


def test_a_pair_that_one_side_calls_different_is_wrong() -> None:
    answers = [
        _said(1, "E1:A", "interested", subject="opportunity", about=("E2:B",)),
        _said(2, "E2:B", "not-the-same", subject="opportunity", about=("E1:A",)),
        _said(3, "E1:A", "later", subject="opportunity", about=("E3:C",)),
        _said(4, "E1:A", "accept", subject="coalition"),
    ]
    pairs = [RecordedPair(other, ("E1:A", other), "notify", DAY) for other in ("E2:B", "E3:C", "E4:D")]
    assert funnel.precision(answers, pairs) == {"notify": (2, 1)}


def test_a_coalitions_answer_counts_for_each_of_its_pairs() -> None:
    answers = [
        _said(1, "E1:A", "interested", about=("E2:B", "E3:C")),
        _said(2, "E3:C", "not-the-same", about=("E1:A", "E2:B")),
    ]
    plans = ("E1:A", "E2:B"), ("E1:A", "E3:C"), ("E2:B", "E3:C"), ("E1:A", "E4:D")
    pairs = [RecordedPair(str(number), both, "digest", DAY) for number, both in enumerate(plans)]
    assert funnel.precision(answers, pairs) == {"digest": (3, 1)}


def test_a_route_counts_where_it_was_recorded_by_the_tender() -> None:
    before, after = DAY - timedelta(days=1), DAY + timedelta(days=1)
    log = [_state(f"E{number}:A", DAY, tendering=True) for number in range(1, 4)]
    answers = [
        _said(1, "E1:A", "route", before, route_step=RouteStep.FRAMEWORK),
        _said(2, "E2:A", "route", after, route_step=RouteStep.FRAMEWORK),
        _said(3, "E3:A", "route", DAY, route_step=RouteStep.NEW),
    ]
    found = compliance.routes(build_histories(log, after), answers, after)
    assert (found.tendered, found.with_record, found.framework_checked) == (3, 2, 1)


def test_an_extension_stands_as_it_did_on_the_day() -> None:
    asked, decided = date(2026, 11, 1), date(2026, 11, 20)
    request = BenchmarkRequest(
        request_id="q",
        plan_id="E1:A",
        authority="E1",
        category=None,
        months=24,
        current_end=date(2027, 3, 31),
        requested_on=asked,
        due_on=date(2026, 11, 13),
        status=BenchmarkStatus.NONE_AVAILABLE,
        answered_on=date(2026, 11, 16),
    )
    decisions = [RecordedDecision("q", "extend", decided)]
    award = ProgrammeRevision("E1:A", "E1", date(2026, 11, 10), RevisionKind.AWARDED, own=True)
    plans = build_histories([_state("E1:A", asked), award], date.max)

    def on(day: date) -> tuple[int, dict[BenchmarkStatus, int], int, int]:
        found = contracts.extensions([request], decisions, plans, day)
        return found.asked, dict(found.by_status), found.decided, found.without

    assert on(asked - timedelta(days=1)) == (0, {}, 0, 0)
    assert on(date(2026, 11, 15)) == (1, {BenchmarkStatus.REQUESTED: 1}, 0, 1)
    assert on(decided) == (1, {BenchmarkStatus.NONE_AVAILABLE: 1}, 1, 0)


def test_a_question_counts_once_with_its_last_answer() -> None:
    later = DAY + timedelta(days=1)
    recorded = [
        RecordedEnquiry("q", "E1", DAY),
        RecordedEnquiry("q", "E2", DAY),
        RecordedEnquiry("r", "E1", DAY),
        RecordedEnquiry("q", "E1", DAY, EnquiryAnswer.WITHHELD),
        RecordedEnquiry("q", "E1", later, EnquiryAnswer.SUPPLIED),
    ]
    found, then = contracts.enquiries(recorded, DAY), contracts.enquiries(recorded, later)
    assert (found.asked, found.answers, found.supplied) == (3, 1, 0)
    assert (then.asked, then.answers, then.supplied) == (3, 1, 1)


def test_a_contract_is_open_from_its_stated_day() -> None:
    shared = [
        SharedContract("1", DAY, has_prices=True, signatories_from=DAY, public_from=DAY + timedelta(days=1)),
        SharedContract("2", DAY, is_withheld=True, is_rated=True),
        SharedContract("3", DAY + timedelta(days=1)),
    ]
    found = contracts.contracts(shared, DAY)
    assert (found.shared, found.prices, found.withheld, found.rated) == (2, 1, 1, 1)
    assert (found.signatories, found.public) == (1, 0)


def test_nothing_of_a_later_day_is_counted() -> None:
    later = DAY + timedelta(days=1)
    nothing = measure_all(build_scene(Records(), DAY))
    records = Records([_state("E1:A", later)], (), [_said(1, "E1:A", "interested", later)], (), ())
    assert measure_all(build_scene(records, DAY)) == nothing
    assert measure_all(build_scene(records, later)) != nothing
    assert all(one.definition and one.unit for one in nothing)
    assert len({(one.section, one.name) for one in nothing}) == len(nothing)
