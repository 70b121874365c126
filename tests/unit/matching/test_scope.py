"""What a plan's words tell of its scope, and what one site beside a whole estate does to a pair."""

from dataclasses import replace
from typing import Any

import pytest

from matching.assessment import Assessment, Band, LimitCode
from matching.text.scope import Scope, scope_of
from tests.unit.matching.builders import AS_OF, LEEDS, YORK, engine, features, plan


@pytest.mark.parametrize(
    ("title", "description", "scope"),
    [
        ("Roof repairs at Elm Grove Primary School", "", Scope.SITE),
        ("Cleaning of the Guildhall", "", Scope.SITE),
        ("LIFT REPLACEMENT, ASHBY HOUSE", "", Scope.SITE),
        ("Lot 1 Town Hall boilers", "", Scope.SITE),
        ("New play area, Tanner Lane, ZZ1 9AB", "", Scope.SITE),
        ("Catering at St Oswin's School", "", Scope.SITE),
        ("Windows for Tanner Court and Ashby House", "", Scope.SITES),
        ("Cleaning of various council buildings", "", Scope.SITES),
        ("Fire alarms", "Servicing of alarms in 14 schools and a depot.", Scope.SITES),
        ("Borough-wide tree works", "", Scope.AREA),
        ("Carers' support", "A service for carers across the whole county.", Scope.AREA),
        ("Cleaning of all schools", "", Scope.ESTATE),
        ("Legionella testing", "Testing across the corporate estate.", Scope.ESTATE),
        ("Window cleaning of council buildings", "", Scope.ESTATE),
        ("Ashby academies insurance scheme", "", Scope.OTHERS),
        ("Buildings insurance for leaseholders", "", Scope.OTHERS),
        ("Schools' absence insurance", "", Scope.OTHERS),
        ("Insurance for all maintained schools", "", Scope.OTHERS),
    ],
)
def test_the_words_tell_the_scope(title: str, description: str, scope: Scope) -> None:
    assert scope_of(plan(title=title, description=description)) is scope


@pytest.mark.parametrize(
    ("title", "description"),
    [
        ("Home to school transport", ""),
        ("Street lighting maintenance", ""),
        ("New Library Management System", ""),
        ("Primary School Meals", ""),
        ("Insurance", "Cover for the council, its schools and leaseholders."),
        ("Cleaning services for schools", ""),
        ("Superfast Road Markings", ""),
        ("Payroll software", "Bids go to Ashby House, Tanner Lane."),
        ("Residential and Nursing Care Homes", ""),
        ("Car Park Management", ""),
        ("High Street Fund Consultancy", ""),
        ("", ""),
    ],
)
def test_other_words_tell_none(title: str, description: str) -> None:
    assert scope_of(plan(title=title, description=description)) is None


@pytest.mark.parametrize(
    "title",
    [
        "School meals for primary schools and academies",
        "Cleaning of all schools and academies",
        "Payroll for schools and academies",
        "Insurance for schools and academies",
        "Buildings insurance for tenants and leaseholders",
        "Fire door replacement for tenants and leaseholders",
        "Leaseholder management system",
        "Schools heating replacement scheme",
        "Sector-based work academies",
        "Supply cover for academies",
    ],
)
def test_only_insurance_is_a_scheme_for_others(title: str) -> None:
    assert scope_of(plan(title=title, description="")) is not Scope.OTHERS


@pytest.mark.parametrize("noise", ["\n", " \t", "\u00a0"])
def test_white_space_hides_no_scope(noise: str) -> None:
    assert scope_of(plan(title=f"Cleaning of all{noise}schools", description="")) is Scope.ESTATE


def test_a_long_title_is_read_quickly() -> None:
    assert scope_of(plan(title="Ashby " * 3000 + "a range of " * 900)) is None


def assess(one: Scope | None, other: Scope | None) -> Assessment:
    said = "Payroll, pensions and personnel records for all staff, with a portal for managers."
    mine, theirs = (features(plan(authority, description=said)) for authority in (LEEDS, YORK))
    return engine().assess(replace(mine, scope=one), replace(theirs, scope=other), AS_OF)


@pytest.mark.parametrize(
    ("scopes", "sentence"),
    [
        ((Scope.SITE, Scope.ESTATE), "Leeds buys for one site, York for its whole estate."),
        ((Scope.AREA, Scope.SITE), "York buys for one site, Leeds for its whole area."),
        ((Scope.OTHERS, None), "Leeds buys for others, such as academies or leaseholders, York for itself."),
        ((Scope.AREA, Scope.OTHERS), "York buys for others, such as academies or leaseholders, Leeds for itself."),
    ],
)
def test_one_site_beside_the_whole_is_digest_at_most(scopes: Any, sentence: str) -> None:
    found = assess(*scopes)
    assert [limit.code for limit in found.limits] == [LimitCode.SCOPES_APART]
    assert found.score >= engine().policy.bands.notify
    assert found.band is found.specification_band is Band.DIGEST
    assert sentence in found.reasons
    # The plans of an assessment are sorted by id, York's first.
    assert found.specification.saw["scopes"] == [scopes[1], scopes[0]]


@pytest.mark.parametrize(
    "scopes",
    [
        (Scope.SITE, Scope.SITE),
        (Scope.SITE, Scope.SITES),
        (Scope.SITES, Scope.ESTATE),
        (Scope.ESTATE, Scope.AREA),
        (Scope.SITE, None),
        (None, Scope.AREA),
        (Scope.OTHERS, Scope.OTHERS),
        (None, None),
    ],
)
def test_nearer_and_unknown_scopes_hold_nothing_down(scopes: Any) -> None:
    found = assess(*scopes)
    assert found.limits == ()
    assert found.band is Band.NOTIFY
