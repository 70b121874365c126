"""A title that names a post and no more is a post; a title that only ends like one is not."""

import pytest

from matching.assessment import Band, LimitCode
from matching.text.posts import is_post
from tests.unit.matching.builders import AS_OF, LEEDS, YORK, engine, features, plan


@pytest.mark.parametrize(
    "title",
    [
        "Scrum master",
        "Product owner",
        "Interim head of finance",
        "Interim director of adult social care",
        "Social worker (locum)",
        "Educational psychologist",
        "Occupational health physician",
        "Programme manager for local plan",
        "Civic chauffeur",
        "Business analyst - Harbour programme",
        "Harbour programme - Business analyst 2",
        "Technical architects x 2",
        "Agile delivery team",
    ],
)
def test_a_title_alone_names_a_post(title: str) -> None:
    assert is_post(title, "")
    assert is_post(title, "Two days a week.")
    assert not is_post(title, "The council buys a platform on which residents report, pay and book.")


@pytest.mark.parametrize(
    "title",
    [
        "Development partner",
        "Joint venture partner",
        "Funeral director",
        "Coach",
        "Agency social workers",
        "Security officers",
        "Heads of terms",
        "Pension fund administrator",
        "Investment managers",
        "Design team",
        "Structural engineer",
        "Landscape architect",
        "Case management",
        "Educational psychology service",
        "Support for carers",
    ],
)
def test_a_firm_or_a_thing_is_no_post(title: str) -> None:
    assert not is_post(title, "")


@pytest.mark.parametrize(
    "title",
    [
        "Training for social workers",
        "Uniforms for parking attendants",
        "Laptops for social workers",
        "Vehicles for parks teams",
        "Grounds maintenance - Parks team",
        "Home to school transport with passenger assistants",
        "Replacement of roof lead",
        "Removal of asbestos and lead",
        "Virtual assistant",
        "Print manager",
    ],
)
def test_whom_a_purchase_is_for_is_no_post(title: str) -> None:
    assert not is_post(title, "")


@pytest.mark.parametrize("title", ["Technical lead", "Tax system - Practice lead for testing", "Pensions: Team lead"])
def test_a_lead_with_a_field_is_a_post(title: str) -> None:
    assert is_post(title, "")


@pytest.mark.parametrize("title", ["Scrum master", "Social worker (locum)", "Interim head of finance"])
def test_two_posts_of_one_name_are_digest_at_most(title: str) -> None:
    one, other = (features(plan(council, title=title, description="", cpv=())) for council in (LEEDS, YORK))
    found = engine().assess(one, other, AS_OF)
    assert [limit.code for limit in found.limits] == [LimitCode.ROLE]
    assert found.band is not Band.NOTIFY
    assert found.specification_band is not Band.NOTIFY
    assert found.specification.saw["natures"] == ["role", "role"]
