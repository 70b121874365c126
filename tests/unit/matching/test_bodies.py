"""One organisation under two identifiers, or a body and its part; and bodies that only sound alike."""

import pytest

from matching.reference.bodies import is_same_body
from tests.unit.matching.builders import AS_OF, engine, features, plan

SAME = [
    ("department-for-transport", "department-of-transport"),
    ("department-for-transport", "the-department-for-transport-dft"),
    ("department-for-transport", "dft-fleet-team"),
    ("home-office", "border-systems-home-office"),
    ("hm-passport-office", "her-majesty-s-passport-office-hmpo"),
    ("hmpo", "hm-passport-office"),
    ("royal-mint-limited", "the-royal-mint-ltd"),
    ("example-housing-trust-north", "north-region-of-example-housing-trust"),
    ("hmcts-reform", "ministry-hmcts"),
    ("her-majesty-s-courts-and-tribunals-service", "ministry-of-justice"),
    ("hm-courts-tribunal-service", "the-ministry-of-justice-moj"),
    ("legal-aid-agency", "ministry-of-justice-digital"),
    ("dvla", "department-for-transport"),
    ("british-army", "ministry-of-defence-corsham"),
    ("cabinet-office", "gds"),
    ("foreign-commonwealth-and-development-office-fcdo", "fco-services"),
    ("fcdo", "fcdo-services"),
    ("ministry-of-justice", "national-probation-service-for-england-and-wales"),
]
OTHERS = [
    ("environment-agency", "scottish-environment-protection-agency"),
    ("university-of-derby", "university-of-kent"),
    ("police-and-crime-commissioner-for-kent", "police-and-crime-commissioner-for-devon"),
    ("nhs-derby-ccg", "nhs-kent-ccg"),
    ("new-college", "new-town-college"),
    ("sport-trust", "sport-wales"),
    ("legal-aid-agency-ministry-of-justice", "hm-courts-tribunal-service"),
    ("legal-aid-agency", "hm-courts-tribunal-service"),
    ("her-majesty-s-courts-and-tribunals-service", "home-office"),
    ("fco-services", "ministry-of-defence"),
    ("ministry-of-justice", "scottish-courts-and-tribunals-service"),
    ("ministry-of-justice", "northern-ireland-courts-and-tribunals-service"),
    ("ministry-of-defence", "royal-air-force-museum"),
    ("ministry-of-defence", "national-museum-of-the-royal-navy"),
    ("department-of-education-northern-ireland", "standards-and-testing-agency"),
    ("department-of-health-northern-ireland", "public-health-england"),
    ("cabinet-office", "gd-construction"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_body_is_known_under_its_other_names(one: str, other: str) -> None:
    assert is_same_body(f"GB-X-{one}", f"GB-X-{other}")
    assert is_same_body(f"GB-X-{other}", f"GB-X-{one}")


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_bodies_of_one_kind_are_strangers(one: str, other: str) -> None:
    assert not is_same_body(f"GB-X-{one}", f"GB-X-{other}")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("E08000035", "E08000035", True),
        ("E08000035", "E06000014", False),
        ("GB-X-leeds-city-council", "E08000035", True),
        ("GB-X-leeds-city-council", "E06000014", False),
        ("GB-PPON-ABCD-1234-EFGH", "GB-PPON-ABCD-1234-EFGJ", False),
        ("GB-X-", "GB-X--", False),
    ],
)
def test_identifiers_of_registers(one: str, other: str, *, same: bool) -> None:
    assert is_same_body(one, other) is same
    assert is_same_body(other, one) is same


def test_one_body_is_gated_as_one_authority() -> None:
    a, b = (features(plan(f"GB-X-{name}")) for name in ("department-for-transport", "department-of-transport-dft"))
    assert [gate.code for gate in engine().assess(a, b, AS_OF).gates] == ["same-authority"]
