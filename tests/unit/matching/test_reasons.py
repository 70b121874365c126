"""What a reader of an opportunity is told: true, short, and nothing that helps nobody."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from matching.assessment import Assessment
from matching.explanation.reasons import field_name, shared_need
from matching.explanation.words import telling_phrases, telling_words
from matching.plan import Kind, Window
from matching.scorer import NATURES
from matching.text.formatting import authority_short_name
from matching.text.route import Route, route_of
from tests.unit.matching.builders import AS_OF, CAMDEN, GLASGOW, LEEDS, YORK, engine, features, plan

SWEEPERS = {
    "title": "Road sweepers",
    "description": "Compact road sweepers with drivers for gullies, verges and cycle tracks, by day and by night.",
    "cpv": ("34921100",),
}


def told(one: dict[str, Any] | None = None, other: dict[str, Any] | None = None) -> Assessment:
    """Two plans of Leeds and York that are alike but for these changes."""
    a, b = ({"authority": authority, **(changes or {})} for authority, changes in ((LEEDS, one), (YORK, other)))
    return engine().assess(features(plan(**a)), features(plan(**b)), AS_OF)


def test_the_whole_answer_reads_like_a_letter() -> None:
    title = "\u201cHR and payroll system\u201d"
    assert told({"cpv": ("48450000",)}, {"cpv": ("48450000",), "value": 250_000.0}).reasons == (
        f"Both plans have the same need, HR and payroll: {title} and {title}.",
        "Together they are worth £650,000 (£250,000 and £400,000).",
        "Both can go to tender between 1 June and 30 September 2027.",
        "Decide by 11 February 2027 to tender together from 1 June 2027.",
        "Both are in Yorkshire and The Humber; distance matters little here.",
        "Both texts speak of human resources, employees, payroll software and managers.",
        "Both name CPV 48450000 (Time accounting or human resources software package).",
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((400_000.0, 600_000.0), "Together they are worth £1 million (£600,000 and £400,000)."),
        ((400_000.0, None), "Leeds expects to spend £400,000; York gives no value."),
        ((None, 600_000.0), "York expects to spend £600,000; Leeds gives no value."),
        ((0.0, 600_000.0), "York expects to spend £600,000; Leeds gives no value."),
        ((None, None), None),
    ],
)
def test_the_value_is_the_second_thing_said(values: tuple[float | None, float | None], says: str | None) -> None:
    reasons = told({"value": values[0]}, {"value": values[1]}).reasons
    assert [reason for reason in reasons if "£" in reason] == ([says] if says else [])
    assert not says or reasons[1] == says


def test_a_need_is_named_once_and_by_words_that_the_texts_have() -> None:
    a, b = features(plan(**SWEEPERS)), features(plan(YORK, **SWEEPERS))

    def need(**shares: float) -> str:
        concepts = {name.replace("_", " "): share for name, share in shares.items()}
        return shared_need(replace(a, concepts=concepts), replace(b, concepts=concepts))

    # The texts speak of road and sweepers, not of supplies.
    assert need(continence_and_nursing_supplies=0.9, sweepers_and_plant=0.4) == "sweepers and plant"
    assert need(sweepers_and_plant=0.4, road_resurfacing=0.6) == "road resurfacing"
    assert need(continence_and_nursing_supplies=0.9) == ""
    assert need() == ""
    assert [reason for reason in told(SWEEPERS, SWEEPERS).reasons if "same need" in reason] == [
        f"Both plans have the same need, {shared_need(a, b)}: \u201cRoad sweepers\u201d and \u201cRoad sweepers\u201d."
    ]


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        # Fillers are no evidence.
        ("Service for the whole area.", "A service of the area, across all works.", []),
        (
            "Kennels and catching of stray dogs across the area.",
            "Catching stray dogs; kennels of the whole area.",
            ["catching", "stray", "kennels", "dogs"],
        ),
        # Nor are routes to market, buying bodies and places.
        ("Further competition under DPS 978 of YPO in Scotland.", "Awarded by competition: YPO's DPS, Scotland.", []),
        ("Libraries with their enquiries.", "For enquiries at libraries.", ["libraries", "enquiries"]),
    ],
)
def test_shared_words_are_whole_words_that_say_something(one: str, other: str, words: list[str]) -> None:
    a, b = (
        features(plan(authority, title, description=text, cpv=()))
        for authority, title, text in ((LEEDS, "Alpha", one), (YORK, "Omega", other))
    )
    assert sorted(telling_words(a, b, {})) == sorted(words)
    found = engine().assess(a, b, AS_OF)
    # Single words are no evidence; phrases are.
    assert any("texts speak of" in reason for reason in found.reasons) is ("stray" in words)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        # Words that both texts write beside each other stay together, fillers and all.
        (
            "Personal protective equipment.",
            "Gowns, and personal protective equipment.",
            "personal protective equipment",
        ),
        (
            "Penalty charge notices and kennels.",
            "Kennels for penalty charge notices.",
            "penalty charge notices and kennels",
        ),
        # Apart in one text, apart in the reason; and no phrase ends in a route to market.
        ("Catching of stray dogs, RCVs.", "All dogs that stray, and RCVs.", "stray and dogs and RCVs"),
        ("Kennels DPS, dogs, RCVs.", "Dogs: kennels DPS, RCVs.", "kennels and dogs and RCVs"),
        # An acronym stays one in the plural.
        ("RCVs and sweepers hired.", "Sweepers, two RCVs.", "RCVs and sweepers"),
    ],
)
def test_shared_words_stand_as_they_are_written(one: str, other: str, said: str) -> None:
    a, b = (
        features(plan(authority, title, description=text, cpv=()))
        for authority, title, text in ((LEEDS, "Alpha", one), (YORK, "Omega", other))
    )
    # Features without needs: a need's name would take their place.
    found = engine().assess(replace(a, concepts={}), replace(b, concepts={}), AS_OF)
    (reason,) = (reason for reason in found.reasons if "texts speak of" in reason)
    words = sorted(re.split(" and |, ", reason.removeprefix("Both texts speak of ").removesuffix(".")))
    assert words == sorted(said.split(" and "))


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        # What the policy's synonyms add is not quoted.
        ("Hired RCVs for recycling rounds.", "RCVs: recycling rounds.", "RCVs and recycling rounds"),
        # A purchasing body is no part of a need.
        ("YPO pest control.", "By YPO pest control.", "pest control"),
        ("christmas trees felled", "felled christmas trees", "Christmas trees and felled"),
    ],
)
def test_a_phrase_has_no_word_that_a_reader_would_strike_out(one: str, other: str, said: str) -> None:
    a, b = (
        features(plan(authority, title, description=text, cpv=()))
        for authority, title, text in ((LEEDS, "Alpha", one), (YORK, "Omega", other))
    )
    found = engine().assess(replace(a, concepts={}), replace(b, concepts={}), AS_OF)
    (reason,) = (reason for reason in found.reasons if "texts speak of" in reason)
    assert sorted(reason.removeprefix("Both texts speak of ").removesuffix(".").split(" and ")) == sorted(
        said.split(" and ")
    )


def test_a_closed_gate_leaves_two_requirements_as_alike_as_they_are() -> None:
    a = features(plan(**SWEEPERS))
    b = features(replace(plan(**SWEEPERS), plan_id=f"{LEEDS}:OTHER"))
    assert "little in common" not in engine().assess(a, b, AS_OF).reasons[0]


def test_a_division_of_cpv_is_no_evidence() -> None:
    assert not any("CPV" in reason for reason in told({"cpv": ("48000000",)}, {"cpv": ("48000000",)}).reasons)


def test_a_code_that_the_text_contradicts_is_no_evidence() -> None:
    right = told({"cpv": ("48450000",)}, {"cpv": ("48450000",)}).reasons
    wrong = told({"cpv": ("45000000",)}, {"cpv": ("45000000",)}).reasons
    assert any("CPV 48450000" in reason for reason in right)
    assert not any("CPV" in reason for reason in wrong)


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (LEEDS, YORK, "Both are in Yorkshire and The Humber; distance matters little here."),
        (CAMDEN, YORK, "Both are in England; distance matters little here."),
        (LEEDS, GLASGOW, "They are in different nations; distance matters little here."),
        # Nothing is known of the place: nothing is said.
        (LEEDS, "GB-X-somebody", None),
    ],
)
def test_places_are_said_where_they_are_known(one: str, other: str, says: str | None) -> None:
    reasons = told({"authority": one}, {"authority": other}).reasons
    places = [reason for reason in reasons if re.match(r"Both are in|They are|One is for", reason)]
    assert places == ([says] if says else [])
    assert not any("assumed" in reason for reason in reasons)


def test_different_natures_are_said() -> None:
    def of(nature: str) -> tuple[float, ...]:
        return tuple(0.9 if name == nature else 0.01 for name in NATURES)

    a, b = features(plan(**SWEEPERS)), features(plan(YORK, **SWEEPERS))
    found = engine().assess(replace(a, nature=of("hire")), replace(b, nature=of("goods")), AS_OF)
    assert "York's plan reads as goods, Leeds's as equipment hire." in found.reasons
    same = engine().assess(replace(a, nature=of("hire")), replace(b, nature=of("hire")), AS_OF)
    assert not any("reads as" in reason for reason in same.reasons)


def test_a_name_of_fillers_is_no_need_that_half_of_it_names() -> None:
    a = features(plan(title="Customer relationship platform", description="Management of contacts with residents."))
    b = features(plan(YORK, title="Case management", description="Management of cases."))
    one, other = (replace(found, concepts={"case management": 0.9}) for found in (a, b))
    assert shared_need(one, one) == ""
    assert shared_need(other, other) == "case management"


@pytest.mark.parametrize(
    ("need", "field"),
    [
        ("building maintenance term contract", "building maintenance"),
        ("building framework", "building"),
        ("finance system", "finance systems"),
        ("website", "websites"),
        ("street lighting", "street lighting"),
    ],
)
def test_a_field_has_a_name_that_a_sentence_can_hold(need: str, field: str) -> None:
    assert field_name(need) == field


def test_a_phrase_keeps_the_filler_before_it_that_both_texts_have() -> None:
    exits = {"title": "Data centre exit", "description": "Migration services for the data centre exit."}
    assert telling_phrases(features(plan(**exits)), features(plan(YORK, **exits)), {})[0].lower() == "data centre exit"


@pytest.mark.parametrize(
    ("title", "phrases"),
    [
        ("Re-roofing of pavilions", ["re-roofing", "pavilions"]),
        ("Trips for older people's clubs", ["trips", "older people's clubs"]),
        ("Transport for post 16 pupils", ["post", "pupils", "transport"]),
        ("Payroll - archiving of microfilm", ["archiving", "microfilm", "payroll"]),
        ("Respite care under the light-touch regime (LTR)", ["respite care"]),
    ],
)
def test_a_phrase_is_told_as_both_texts_write_it(title: str, phrases: list[str]) -> None:
    texts = {"title": title, "description": ""}
    found = telling_phrases(features(plan(**texts)), features(plan(YORK, **texts)), {})
    assert sorted(found) == sorted(phrases)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("GB-X-royal-air-force", "Royal Air Force"),
        ("GB-X-university-of-derby", "University of Derby"),
        ("GB-X-nhs-property", "NHS Property"),
        ("GB-X-CLICK-here", "CLICK Here"),
    ],
)
def test_a_name_in_an_identifier_reads_as_a_name(code: str, name: str) -> None:
    assert authority_short_name(code) == name


@pytest.mark.parametrize(
    ("title", "description", "route"),
    [
        ("Further competition for insurance under a framework", "", Route.CALL_OFF),
        ("Mini-competition: home to school transport", "", Route.CALL_OFF),
        ("Insurance", "Call-off under the national framework for insurance.", Route.CALL_OFF),
        ("Dynamic purchasing system for minibuses", "", Route.DYNAMIC_PURCHASING),
        ("Minibus DPS", "", Route.DYNAMIC_PURCHASING),
        ("Dynamic market for minibuses", "", Route.DYNAMIC_MARKET),
        ("Framework for building repairs", "", Route.FRAMEWORK),
        ("Direct award of payroll from lot 2 of the framework", "", Route.CALL_OFF),
        ("Payroll", "The framework allows a direct award to one supplier.", Route.CALL_OFF),
        ("Direct award of the payroll contract", "The incumbent is the only supplier.", None),
        ("Payroll", "A direct award. The council looked at a framework before.", None),
        ("Building repairs", "The council has used frameworks before.", None),
        ("Direct awards ceremony", "Staff awards.", None),
    ],
)
def test_routes_are_told_apart_by_text(title: str, description: str, route: Route | None) -> None:
    assert route_of(plan(title=title, description=description)) is route


def test_the_route_of_one_is_advice_to_the_other() -> None:
    one = {"title": "HR and payroll system: further competition under a framework"}
    assert "Leeds is calling off a framework, which York may be able to use as well." in told(one).reasons
    assert "Both are calling off a framework: one of them may be open to the other." in told(one, one).reasons
    market = {"title": "Dynamic market for the HR and payroll system"}
    assert (
        "Leeds uses a dynamic market. York can use its suppliers if it is entitled to: ask Leeds."
        in told(market).reasons
    )
    own = {"title": "Framework for the HR and payroll system"}
    assert "Leeds plans a framework. York could use it if Leeds's tender notice covers York." in told(own).reasons


@pytest.mark.parametrize(("gap", "moved"), [(2, True), (9, False)])
def test_advice_is_a_move_of_half_a_year_at_most(gap: int, *, moved: bool) -> None:
    start = date(2027 + (8 + gap) // 12, (8 + gap) % 12 + 1, 1)
    later = Window(start, start.replace(day=28))
    found = told({"kind": Kind.NEW}, {"tender_window": later})
    assert bool(found.would_change) is moved
    if moved:
        assert re.fullmatch(
            r"If Leeds waited 2 months, both would be told at once\.",
            found.would_change[0],
        )


def test_gates_that_nobody_can_open_bring_no_advice() -> None:
    found = told({"value": 20_000.0})
    assert found.gates
    assert found.would_change == ()
