"""Windows, places, money and codes, by table; and each gate with its reason."""

from dataclasses import replace
from datetime import date

import pytest

from matching.assessment import Band
from matching.calendar import add_months
from matching.components.region import DeliveryArea, delivery_area, proximity
from matching.components.specification import cpv_similarity
from matching.components.timing import next_change_after, overlap_of, tender_span
from matching.lead_time import LeadTime
from matching.plan import Kind, Plan, Sharing, Stage, Status, Window
from matching.policy import Policy
from tests.unit.matching.builders import AS_OF, CAMDEN, GLASGOW, ISLINGTON, LEEDS, YORK, engine, features, plan

POLICY = Policy.load()


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2027, 1, 31), 1, date(2027, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2027, 3, 15), -3, date(2026, 12, 15)),
        (date(9999, 6, 1), 12, date.max),
    ],
)
def test_months_are_calendar_months(day: date, months: int, then: date) -> None:
    assert add_months(day, months) == then


@pytest.mark.parametrize(
    ("changes", "flexible"),
    [
        ({}, date(2027, 9, 30)),
        ({"extension_months": 12}, date(2027, 9, 30)),
        ({"contract_end": date(2027, 12, 31), "kind": Kind.RENEWAL, "extension_months": 6}, date(2028, 3, 30)),
        ({"contract_end": date(2027, 12, 31), "kind": Kind.RENEWAL, "extension_months": 60}, date(2028, 9, 30)),
        ({"contract_end": date(2027, 10, 1), "kind": Kind.RENEWAL, "extension_months": 6}, date(2028, 1, 2)),
        (
            {"contract_start": date(2027, 12, 1), "contract_end": date(2031, 1, 1), "extension_months": 24},
            date(2028, 9, 2),
        ),
        ({"contract_start": date(2027, 12, 1), "extension_months": 6}, date(2028, 3, 3)),
        (
            {"contract_start": date(2027, 12, 1), "kind": Kind.EXTENSION, "extension_months": 6},
            date(2027, 9, 30),
        ),
        ({"contract_start": date(2020, 1, 1), "kind": Kind.RENEWAL, "extension_months": 12}, date(2027, 9, 30)),
    ],
)
def test_an_unused_extension_gives_slack(changes: dict[str, object], flexible: date) -> None:
    assert date.fromordinal(tender_span(plan(**changes), POLICY.timing).flexible) == flexible  # type: ignore[arg-type]


def test_windows_that_meet_only_by_an_extension_fit_less() -> None:
    early = plan(tender_window=Window(date(2027, 3, 1), date(2027, 5, 31)))
    late = plan(YORK, tender_window=Window(date(2027, 8, 1), date(2027, 9, 30)))
    stretched = plan(
        tender_window=Window(date(2027, 3, 1), date(2027, 5, 31)),
        kind=Kind.RENEWAL,
        contract_end=date(2027, 12, 31),
        extension_months=12,
    )
    near, by_extension = (engine().assess(features(p), features(late), AS_OF) for p in (early, stretched))
    assert near.nearest_move is not None
    assert near.timing.value < by_extension.timing.value
    assert by_extension.nearest_move is None
    assert by_extension.gates == ()
    assert by_extension.common_window == Window(date(2027, 8, 1), date(2027, 9, 30))
    assert 0 < by_extension.timing.value < 1
    assert any("extends its present contract" in reason for reason in by_extension.reasons)


def test_the_day_of_review_is_the_next_step() -> None:
    two = tender_span(plan(), POLICY.timing), tender_span(plan(YORK), POLICY.timing)
    met = overlap_of(*two, LeadTime(60, 20), AS_OF.toordinal(), POLICY.timing)
    ends = (two[0].latest, two[1].latest)
    first = next_change_after(AS_OF.toordinal(), met, ends, POLICY.timing)
    assert first == met.decide_by - 90 + 1
    assert next_change_after(met.decide_by, met, ends, POLICY.timing) == met.decide_by + 1
    assert next_change_after(met.decide_by + 1, met, ends, POLICY.timing) == met.prepare_by + 1
    assert next_change_after(max(ends) + 1, met, ends, POLICY.timing) is None


def at(*codes: str, authority: str | None = None) -> DeliveryArea:
    return DeliveryArea(codes, authority, stated=True)


@pytest.mark.parametrize(
    ("a", "b", "near"),
    [
        (at("TLI36"), at("TLI36"), 1.0),
        (at("TLI36"), at("TLI35"), 0.9),
        (at("TLI36"), at("TLI52"), 0.75),
        (at("TLI36"), at("TLI"), 0.75),
        (at("TLE42"), at("TLI36"), 0.35),
        (at("TLM32"), at("TLI36"), 0.2),
        (at("UK"), at("TLM32"), 0.35),
        (at("TLE42", "TLI36"), at("TLI36"), 1.0),
        (at("TLJ41", authority="E06000035"), at("TLI51", authority="E09000004"), 0.35),
        (at("TLH37", authority="E06000034"), at("TLI52", authority="E09000016"), 0.55),
    ],
)
def test_closeness(a: DeliveryArea, b: DeliveryArea, near: float) -> None:
    assert proximity(a, b, POLICY.region)[0] == near
    assert proximity(a, b, POLICY.region) == proximity(b, a, POLICY.region)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("E07000177", "E07000178", "They are neighbours"),
        ("E08000032", "E08000035", "They are neighbours"),
        ("E10000025", "E07000178", "Both are in Oxfordshire"),  # the register says "Oxfordshire CC"
    ],
)
def test_neighbours_are_called_so_before_a_small_region_is_named(one: str, other: str, why: str) -> None:
    a, b = (delivery_area(plan(authority)) for authority in (one, other))
    assert proximity(a, b, POLICY.region)[1] == why
    stated = replace(a, stated=True)
    assert proximity(stated, b, POLICY.region)[1].startswith("Both are in")
    assert proximity(a, b, POLICY.region)[0] == proximity(stated, b, POLICY.region)[0]


def test_a_plan_without_regions_has_its_authoritys() -> None:
    assert delivery_area(plan(regions=("UKI", "TLC11"))).codes == ("TLC31", "TLI")
    assert delivery_area(plan(LEEDS)) == DeliveryArea(("TLE42",), LEEDS, stated=False)
    assert delivery_area(plan("GB-X-somebody")).codes == ("UK",)
    assert set(delivery_area(plan("E10000017")).codes) > {"TLD44", "TLD45", "TLD46"}


@pytest.mark.parametrize(
    ("a", "b", "value"),
    [
        (["48450000"], ["48450000"], 1.0),
        (["48451000"], ["48450000"], 0.7),
        (["48450000"], ["48400000"], 0.5),
        (["48000000"], ["48450000"], 0.25),
        (["48000000"], ["48000000"], 0.25),
        (["48450000"], ["72000000"], 0.25),
        (["48450000"], ["90000000"], 0.0),
        (["90000000", "48450000"], ["48450000"], 1.0),
        ([], ["48450000"], 0.4),
    ],
)
def test_codes_meet_by_level(a: list[str], b: list[str], value: float) -> None:
    assert cpv_similarity(a, b, 0.4) == cpv_similarity(b, a, 0.4) == value


CARE = {"title": "Home care", "description": "Domiciliary care for older people.", "cpv": ("85000000",)}
WORKS = {
    "title": "Refurbishment of Cleaver Street Library",
    "description": "Refurbishment works.",
    "cpv": ("45000000",),
}


def test_a_play_area_at_a_named_site_is_no_one_off() -> None:
    """Any supplier of play areas builds the next one, too, and readers sign such pairs."""
    assert features(plan(CAMDEN, **WORKS)).one_off
    assert not features(plan(CAMDEN, **(WORKS | {"title": "Refurbishment of the play area at Cleaver Street"}))).one_off


@pytest.mark.parametrize(
    ("a", "b", "gate"),
    [
        (plan(LEEDS), plan(LEEDS, plan_id=f"{LEEDS}:B"), "same-authority"),
        (plan("E06000063"), plan("E07000026"), "related-authority"),
        (plan(LEEDS, procurement="ocds-x-1"), plan(YORK, procurement="ocds-x-1"), "same-procurement"),
        (plan(LEEDS), plan(YORK, sharing=Sharing.PRIVATE), "private"),
        (plan(LEEDS), plan(YORK, status=Status.WITHDRAWN), "withdrawn"),
        (plan(LEEDS), plan(YORK, status=Status.AWARDED), "awarded"),
        (plan(LEEDS), plan(YORK, stage=Stage.TENDERING), "closed"),
        (plan(LEEDS), plan(YORK, tender_window=Window(date(2026, 1, 1), date(2026, 11, 21))), "closed"),
        (plan(LEEDS), plan(YORK, tender_window=Window(date(2029, 1, 1), date(2029, 2, 1))), "no-common-window"),
        (
            plan(LEEDS, tender_window=Window(AS_OF, date(2026, 12, 31))),
            plan(YORK, tender_window=Window(AS_OF, date(2027, 9, 1))),
            "too-late",
        ),
        (plan(LEEDS, value=20_000.0), plan(YORK, value=900_000.0), "too-small"),
        (plan(LEEDS), plan(YORK, title="Grass cutting", description="Mowing of verges.", cpv=()), "weak-specification"),
        (plan(CAMDEN, **CARE), plan(GLASGOW, **CARE), "local-distance"),
        (plan(CAMDEN, **WORKS), plan(ISLINGTON, **WORKS), "place-bound"),
    ],
)
def test_each_gate_closes_with_its_reason(a: Plan, b: Plan, gate: str) -> None:
    found = engine().assess(features(a), features(b), AS_OF)
    assert gate in [g.code for g in found.gates]
    assert all(g.sentence.endswith(".") for g in found.gates)
    assert found.band is Band.NONE


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (plan(LEEDS, value=None), plan(YORK, value=200_000.0)),
        (plan(LEEDS, sharing=Sharing.MATCH_ONLY), plan(YORK)),
        (plan(LEEDS, cpv=()), plan("GB-X-somebody", cpv=())),
        (plan(LEEDS, stage=Stage.ENGAGEMENT), plan(YORK)),
    ],
)
def test_unknown_values_and_match_only_pass(a: Plan, b: Plan) -> None:
    assert engine().assess(features(a), features(b), AS_OF).gates == ()


@pytest.mark.parametrize(
    ("one", "other", "related"),
    [
        ("E06000063", "E07000026", True),  # Cumberland came after Allerdale
        ("E06000063", "E10000006", True),  # and after Cumbria
        ("E06000063", "E06000064", False),  # as did Westmorland and Furness: heirs of one are strangers
        ("E07000026", "E07000028", False),  # and so were the districts that went into one
        ("E06000048", "E06000057", True),  # one authority under two codes
    ],
)
def test_only_the_line_of_descent_is_related(one: str, other: str, related: bool) -> None:
    a, b = features(plan(one)), features(plan(other))
    codes = [gate.code for gate in engine().assess(a, b, AS_OF).gates]
    assert ("related-authority" in codes) is related
    assert (other in a.related_authorities) is related
    assert (one in b.related_authorities) is related


def test_foreign_text_stays_one_plain_line_in_reasons() -> None:
    nasty = plan(YORK, title="HR and payroll system\r\nBcc: x@example.org \x1b[31m\u202e" + " long" * 100)
    reasons = engine().assess(features(plan(LEEDS)), features(nasty), AS_OF).reasons
    assert all(reason.isprintable() and len(reason) < 400 for reason in reasons)
