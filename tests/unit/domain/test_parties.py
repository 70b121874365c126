"""Parties: dated memberships at their boundaries, the CSV file there and back, and what spoils it."""

from datetime import date
from pathlib import Path

import pytest

from services.application.csv_table import Problem
from services.application.party_csv import PartyEntry, read, to_csv
from services.domain.parties import Membership, Party, PartyKind, by_code, with_members

EXAMPLE = Path(__file__).parents[3] / "docs/examples/parties.csv"
HEADER = "party,kind,name,mailbox,authority,joined_on,left_on\n"
OFFICE = "GB-X-EXAMPLE-OFFICE"
LEEDS, BRADFORD, KIRKLEES = "E08000035", "E08000032", "E08000034"


def _example() -> dict[str, Party]:
    return by_code([one.party for one in read(EXAMPLE.read_text("utf-8")) if isinstance(one, PartyEntry)])


def test_the_day_of_leaving_is_outside_a_membership() -> None:
    office = _example()[OFFICE]
    assert office.members_on(date(2026, 3, 31)) == frozenset()
    assert office.members_on(date(2026, 4, 1)) == {LEEDS, BRADFORD, KIRKLEES}
    assert office.members_on(date(2027, 3, 31)) == {LEEDS, BRADFORD, KIRKLEES}
    assert office.members_on(date(2027, 4, 1)) == {LEEDS, BRADFORD}


def test_a_returning_authority_has_two_memberships() -> None:
    hub = _example()["GB-X-EXAMPLE-HUB"]
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 8, 31), date(2026, 9, 1)]
    assert [LEEDS in hub.members_on(day) for day in days] == [True, False, False, True]


def test_a_framework_entitles_the_members_of_the_day() -> None:
    parties, day = _example(), date(2027, 4, 1)
    assert with_members((OFFICE, "TLE"), parties, day) == (BRADFORD, LEEDS, OFFICE, "TLE")
    assert with_members((OFFICE,), parties, date(2020, 1, 1)) == (OFFICE,)
    assert with_members((), parties, day) == ()


def test_a_file_written_is_read_as_the_same() -> None:
    text = EXAMPLE.read_text("utf-8")
    empty = Party("GB-X-ALONE", PartyKind.REGIONAL_GROUP, "A group without members")
    parties = [*_example().values(), empty]
    written = to_csv(parties, {OFFICE: "office@charter.example"})
    assert set(text.splitlines()) < set(written.splitlines())
    assert [one.party for one in read(written) if isinstance(one, PartyEntry)] == parties


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("E08000035,programme-office,Leeds,,E08000032,2026-04-01,", "party"),
        ("GB-X-A,county,A,,E08000032,2026-04-01,", "kind"),
        ("GB-X-A,programme-office,,,E08000032,2026-04-01,", "name"),
        ("GB-X-A,programme-office,A,nobody,E08000032,2026-04-01,", "mailbox"),
        ("GB-X-A,programme-office,A,,E08000032,,", "joined_on"),
        ("GB-X-A,programme-office,A,,E08000032,2026-04-01,2026-04-01", "joined_on"),
        ("GB-X-A,programme-office,A,,,2026-04-01,", "authority"),
        ("GB-X-B,regional-group,B,,E08000032,2026-04-01,", "kind"),
        ("GB-X-B,programme-office,Another name,,E08000032,2026-04-01,", "name"),
        ("GB-X-B,programme-office,B,,E08000035,2027-01-01,", "joined_on"),
    ],
)
def test_one_wrong_line_spoils_the_file(line: str, field: str) -> None:
    found = read(f"{HEADER}GB-X-B,programme-office,B,,E08000035,2026-04-01,\n{line}\n")
    assert [(one.line, one.field) for one in found if isinstance(one, Problem)] == [(3, field)]
    assert len(found) == 1


def test_memberships_overlap_where_they_share_a_day() -> None:
    first = Membership(LEEDS, date(2026, 1, 1), date(2026, 6, 1))
    assert not first.overlaps(Membership(LEEDS, date(2026, 6, 1)))
    assert first.overlaps(Membership(LEEDS, date(2026, 5, 31)))
    assert first.overlaps(Membership(LEEDS, date(2025, 1, 1)))
    assert not first.overlaps(Membership(LEEDS, date(2025, 1, 1), date(2026, 1, 1)))
