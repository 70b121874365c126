"""Authorities are known under every customary form of their name, and nobody else is taken for one."""

import pytest

from matching import reference
from matching.reference.authority_names import identify, identify_code, says_council

PRINCIPAL = [
    known
    for known in reference.authorities()
    if not known.code.startswith(("E47", "E61")) and known.code != "E09000001" and known.end is None
]


def place(known: reference.Authority) -> str:
    return known.short_name.strip().removeprefix("The ").removeprefix("City of ").removesuffix(" City")


@pytest.mark.parametrize("known", PRINCIPAL, ids=lambda known: known.code)
def test_every_council_is_known_under_its_customary_forms(known: reference.Authority) -> None:
    name = place(known)
    forms = [f"{name} Council", known.name, known.name.upper(), f"The {known.name}", known.name.replace("&", "&amp;")]
    forms += [known.name.replace(" and ", " &amp; "), known.name.replace("-", "\u2011")]
    if " City" in known.name:
        forms += [f"{name} City Council", f"{name} CC", f"City of {name}", f"{name}, City of"]
    if " County Council" in known.name:
        forms += [f"{name} County Council", f"{name} CC"]
    if known.code.startswith("E09"):
        forms += [
            f"London Borough of {name}",
            f"LB {name}",
            f"LB of {name}",
            f"{name} LB",
            f"{name} LBC",
            f"{name}, London Borough of",
        ]
    if known.code.startswith("E08"):
        forms += [f"{name} MBC", f"{name} Metropolitan Borough Council"]
    if known.code.startswith("E07"):
        forms += [f"{name} District Council", f"{name} DC", f"{name} Borough Council", f"{name} BC"]
    if known.code.startswith("W"):
        forms += [f"Cyngor {name}", f"{name} CBC"]
    found = {form: identified.code if (identified := identify(form)) else None for form in forms}
    assert found == dict.fromkeys(forms, known.code)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Cyngor Sir Ynys Môn", "W06000001"),
        ("Cyngor Caerdydd", "W06000015"),
        ("Cyngor Bro Morgannwg", "W06000014"),
        ("Comhairle nan Eilean Siar", "S12000013"),
        ("Comhairle Baile Ghlaschu", None),
        ("BCP Council", "E06000058"),
        ("Herts CC", "E10000015"),
        ("South Oxon DC", "E07000179"),
        ("Durham County Council", "E06000047"),
        ("Newcastle City Council", "E08000021"),
        ("Newcastle Borough Council", "E07000195"),
        ("Somerset Council", "E06000066"),
        ("Cityï¾\u00a0and County of Swansea", "W06000011"),
        ("Limavady Borough Council", "N09000004"),
    ],
)
def test_other_customary_names(name: str, code: str | None) -> None:
    assert (known.code if (known := identify(name)) else None) == code


@pytest.mark.parametrize(
    "name",
    [
        "Lichfield City Council", "Chichester City Council", "Salisbury City Council", "Wells City Council",
        "Stafford Town Council", "Kent Parish Council", "Kent Police", "University of Leeds", "London Councils",
        "City Council", "Council", "Leicester County Council", "Kent (Mental Health) Trust", "Kent Borough Council",
        "Essex Council for the Arts", "Durham City Council", "Bolton County Council", "London", "LB", "Borough of", "",
    ],
)  # fmt: skip
def test_bodies_that_only_sound_like_a_council_stay_unknown(name: str) -> None:
    assert identify(name) is None


@pytest.mark.parametrize(
    ("scheme", "identifier", "code"),
    [
        ("GB-LAE", "LDS", "E08000035"),
        ("", "GB-LAE-LDS", "E08000035"),
        ("GB-LAE", "GB-LAE-BEX", "E09000004"),
        ("", "GB-GSS-E08000035", "E08000035"),
        ("", "E08000035", "E08000035"),
        ("GB-COH", "LDS", None),
        ("GB-LAE", "XXX", None),
        ("", "LDS", None),
    ],
)
def test_codes_of_public_lists(scheme: str, identifier: str, code: str | None) -> None:
    assert (known.code if (known := identify_code(scheme, identifier)) else None) == code


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("Atlantis Borough Council", True),
        ("Cyngor Nowhere", True),
        ("Wells Town Council", False),
        ("Kent Police", False),
    ],
)
def test_a_name_that_claims_to_be_a_principal_council(name: str, claims: bool) -> None:
    assert says_council(name) is claims
