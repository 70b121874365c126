"""The opening of a need says whose dates meet the reader's, who would have to extend, and who fits whom."""

from datetime import date

from events.fields import Window
from services.domain.disclosure import PlanFacts
from services.notifier.rendering import need_block
from services.notifier.rendering.need_block import Block
from services.notifier.rendering.need_council import SuggestedGroup
from services.notifier.rendering.opportunity_view import DisclosedFacts, OpportunityView, opportunity_view
from tests.unit.notifier.golden_emails import BRADFORD, KIRKLEES, LEEDS, SHORT, YORK, group, member, window
from tests.unit.notifier.making import side, state

TODAY = date(2026, 11, 26)
OWN = window("2027-11-01", "2028-03-31")
EARLY, LATE, SAME = window("2027-06-01", "2027-09-30"), window("2029-02-01", "2029-06-30"), OWN


def met(partner: str, dates: Window, title: str = "Payroll", plan: str = "HR-1", move: bool = False) -> OpportunityView:
    """A pair of Leeds and a partner with these dates; whoever comes first has an extension, unless a `move` is due."""
    other = side(partner, plan_id=f"{partner}:{plan}", title=title, tender_window=dates)
    mine = side(LEEDS, plan_id=f"{LEEDS}:HR-1", title="Payroll", tender_window=OWN)
    opens = max(OWN.earliest, dates.earliest)
    fields = {"common_window": Window(earliest=opens, latest=max(OWN.latest, dates.latest))}
    if move:
        later = {"authority": partner, "months": 3, "tender_window": OWN, "common_window": OWN}
        fields = {"common_window": None, "decide_by": None, "nearest_move": later}
    disclosed = DisclosedFacts(PlanFacts("Payroll", OWN), PlanFacts(title, dates))
    mailbox = f"buying@{partner.lower()}.example"
    return opportunity_view(state(mine, other, **fields), LEEDS, "notify", "new", SHORT[partner], mailbox, disclosed)


def block(*items: OpportunityView, suggested: SuggestedGroup | None = None) -> Block:
    return need_block.build(LEEDS, items, suggested, TODAY, {}, ())


def together(found: Block) -> str:
    return dict(found.dates)["Tender together from"]


def test_dates_that_meet_only_by_an_extension_are_never_said_to_meet() -> None:
    found = block(met(BRADFORD, SAME), met(KIRKLEES, EARLY), met(YORK, LATE))
    assert found.opening == (
        "Three councils plan to buy this. The dates of Bradford meet yours; Kirklees would first have to extend its "
        "present contract; with York, you would. Each fits your plan."
    )
    assert together(found) == (
        "1 November 2027 with Bradford and Kirklees, if Kirklees extends; 1 February 2029 with York, if you extend"
    )


def test_one_council_that_has_to_extend_and_a_reader_who_has_to() -> None:
    they, reader = block(met(KIRKLEES, EARLY)), block(met(YORK, LATE))
    assert they.opening.startswith(
        "Kirklees plans to buy this. Kirklees would first have to extend its present contract."
    )
    assert together(they) == "1 November 2027, if Kirklees extends"
    assert reader.opening.startswith("York plans to buy this. You would first have to extend your present contract.")
    assert together(reader) == "1 February 2029, if you extend"


def test_where_some_extend_others_may_still_not_meet() -> None:
    found = block(met(KIRKLEES, EARLY), met(BRADFORD, EARLY), met(YORK, EARLY, move=True))
    assert (
        "Kirklees and Bradford would first have to extend their present contracts; the dates of York do not meet yours."
    ) in found.opening


def test_a_member_of_a_group_that_has_to_extend_is_named() -> None:
    members = [member(code) for code in (LEEDS, BRADFORD, KIRKLEES)]
    waits = members[1].model_copy(update={"tender_window": window("2027-02-01", "2027-05-31")})
    suggested = group().model_copy(update={"members": (members[0], waits, members[2])})
    found = block(met(KIRKLEES, SAME), suggested=SuggestedGroup(suggested, SHORT))
    assert "Bradford would first have to extend its present contract." in found.opening
    assert together(found) == "1 July 2027, if Bradford extends"


def test_a_council_with_two_plans_is_written_to_once() -> None:
    pair, group_of_four = met(BRADFORD, SAME, "HR software"), SuggestedGroup(group(), SHORT)
    other = met(BRADFORD, SAME, "Payroll bureau for schools", "HR-2")
    found = block(pair, other, suggested=group_of_four)
    assert (
        "You, Bradford, Kirklees and Calderdale all fit together. "
        "Bradford's other plan, Payroll bureau for schools, fits yours alone."
    ) in found.opening
    assert together(found) == ("1 July 2027 with the group; 1 November 2027 with Bradford (Payroll bureau for schools)")
    assert found.contacts == (("Bradford", "buying@e08000032.example"),)
    two = block(met(YORK, EARLY, "Payroll bureau"), met(YORK, SAME, "HR software", "HR-2"))
    assert (
        "The dates of York (HR software) meet yours; York (Payroll bureau) would first have to extend"
    ) in two.opening


def test_pairs_alone_do_not_tell_whether_the_others_fit_each_other() -> None:
    found = block(met(BRADFORD, SAME), met(YORK, SAME))
    assert found.opening == "Two councils plan to buy this when you do. Each fits your plan."
