"""The Charter is about ICT."""

from services.domain.charter_scope import is_about_ict

ICT, ROADS = {"cpv": ["90620000", "72000000"]}, {"cpv": ["90620000"]}


def test_the_charter_is_about_plans_that_are_all_of_ict() -> None:
    assert is_about_ict([ICT, ICT])
    assert not any(map(is_about_ict, ([], [ROADS], [ICT, ROADS], [ICT, None], [{}])))
