"""The reference files answer what the engine asks of them."""

import pytest

from matching import reference


@pytest.mark.parametrize(
    ("code", "now"),
    [
        ("TLI", ("TLI",)),
        ("UKI", ("TLI",)),
        ("ukc11", ("TLC31",)),
        ("TLC11", ("TLC31",)),
        ("UKH1", ("TLH4", "TLH5", "TLH6")),
        ("TLD99", ("TLD",)),
        ("UK", ("UK",)),
        ("FR1", ()),
        ("", ()),
    ],
)
def test_region_codes_of_every_vintage_are_read(code: str, now: tuple[str, ...]) -> None:
    assert reference.normalise_region(code) == now


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Leeds City Council", "E08000035"),
        ("  LEEDS city   council ", "E08000035"),
        ("The London Borough of Camden", "E09000007"),
        ("Allerdale Borough Council", "E07000026"),
        ("No Such Council", None),
    ],
)
def test_authorities_are_found_by_exact_name_only(name: str, code: str | None) -> None:
    found = reference.find_authority(name)
    assert (found.code if found else None) == code


def test_succession_counties_and_borders() -> None:
    cumberland = reference.authority("E06000063")
    assert cumberland is not None
    assert {"E07000026", "E10000006"} <= set(cumberland.predecessors)
    lancashire = reference.authority("E10000017")
    assert lancashire is not None
    assert len(lancashire.districts) == 12
    assert "E06000008" in reference.neighbours("E10000017")
    assert reference.neighbours("E08000035") == frozenset(
        code for code in reference.neighbours("E08000035") if "E08000035" in reference.neighbours(code)
    )
    recoded = reference.authority("E06000048")
    assert recoded is not None
    assert recoded.code == "E06000057"
    assert reference.authority("GB-X-HMPO") is None


def test_every_region_of_an_authority_has_a_parent() -> None:
    assert all(a.regions for a in reference.authorities())
    for known in reference.authorities():
        for code in known.regions:
            region = reference.region(code)
            assert region is not None
            assert region.parent is not None
            assert reference.region(region.parent) is not None


def test_cpv_labels_ignore_the_check_digit() -> None:
    assert reference.cpv_label("48450000-7") == reference.cpv_label("48450000")
    assert reference.cpv_label("99999999") is None
