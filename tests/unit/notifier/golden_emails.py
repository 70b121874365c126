"""Emails of a fixed scenario, by the name of the golden file that each must equal.

`python -m tests.unit.notifier.golden_emails` writes the files anew; read the difference before you commit it.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from events.coalitions import CoalitionInvitation, CoalitionMember, CoalitionState
from events.fields import Window
from events.responses import RouteOutcome, RouteReason, RouteStep
from services.domain.coalition_notices import NoticeKind
from services.domain.disclosure import PlanFacts
from services.domain.route import RouteEntry, build_coalition_routes
from services.notifier.rendering import coalition_email, email_message, mail_view
from services.notifier.rendering.coalition_view import coalition_letter
from services.notifier.rendering.need_council import SuggestedGroup
from services.notifier.rendering.opportunity_view import DisclosedFacts, OpportunityView, opportunity_view
from services.notifier.rendering.search_section import search_section
from tests.unit.notifier.making import side, state

FOLDER = Path(__file__).parent / "golden"
WHO = email_message.sender("Jointly <jointly@jointly.example>")
AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
SIGNED = date(2026, 4, 1)
LEEDS, BRADFORD, KIRKLEES, CALDERDALE, YORK, CAMDEN = (
    "E08000035", "E08000032", "E08000034", "E08000033", "E06000014", "E09000007"
)  # fmt: skip
SHORT = {LEEDS: "Leeds", BRADFORD: "Bradford", KIRKLEES: "Kirklees", CALDERDALE: "Calderdale", YORK: "York"}
SUPPLIERS = (
    "3 councils' contracts with Paywell Ltd end within a year: yours on 31 March 2027, those of Bradford (June 2027) "
    "and York (September 2027)."
)
CAVEATS = (
    "Both plans have the same need, HR and payroll: \u201cHR and payroll\u201d and \u201cPayroll\u201d.",
    "Both are in England; distance matters little here.",
    "One is worth 30 times the other (£80,000 and £2.4 million).",
    "The two windows share only 14 days.",
)
NOTICE = "https://www.find-tender.service.gov.uk/Notice/000001-2026"


def window(first: str, last: str) -> Window:
    """A window of days."""
    return Window(earliest=date.fromisoformat(first), latest=date.fromisoformat(last))


SUMMER = window("2027-07-01", "2027-09-30")
PLANS = {
    LEEDS: PlanFacts("Replacement HR and payroll system", window("2027-06-01", "2027-09-30"), 2_400_000.0),
    BRADFORD: PlanFacts("HR and payroll software", window("2027-07-01", "2027-10-31"), 1_600_000.0,
                        contract_ends=date(2028, 3, 31), supplier="Paywell Ltd"),
    KIRKLEES: PlanFacts("Human resources and payroll platform", window("2027-07-01", "2027-11-30"), 1_300_000.0,
                        stage="engagement"),
    CALDERDALE: PlanFacts("Extend or replace payroll and HR", window("2027-05-01", "2027-11-30"), 600_000.0,
                          preference="join", contract_ends=date(2027, 12, 31)),
    YORK: PlanFacts("Payroll bureau service", window("2027-09-01", "2027-12-31")),
}  # fmt: skip


def member(code: str, status: Any = "suggested") -> CoalitionMember:
    """A council of the group with what its plan says."""
    facts = PLANS[code]
    return CoalitionMember(
        plan_id=f"{code}:HR-1",
        plan_revision=1,
        authority=code,
        authority_name=SHORT[code],
        title=facts.title,
        value=facts.value,
        tender_window=facts.tender_window,
        stage=facts.stage,
        contract_ends=facts.contract_ends,
        supplier=facts.supplier,
        preference=facts.preference,  # type: ignore[arg-type]
        state=status,
        committed=False,
    )


def group(status: Any = "suggested", **fields: Any) -> CoalitionState:
    """The four councils of West Yorkshire."""
    codes = (LEEDS, BRADFORD, KIRKLEES, CALDERDALE)
    return CoalitionState(
        coalition_id="c" * 32,
        revision=1,
        terms_revision=1,
        status=status,
        members=tuple(member(code, fields.pop(code, "suggested")) for code in codes),
        lead=f"{LEEDS}:HR-1",
        common_window=SUMMER,
        together_from=SUMMER.earliest,
        decide_by=date(2027, 2, 16),
        explanation="These plans fit each other; Wakefield was left out because its window ends before Leeds's begins.",
        **fields,
    )


def pair(own: str, other: str, change: str = "new", band: str = "notify", **fields: Any) -> OpportunityView:
    """An opportunity of two of these councils as the first one sees it."""
    sharing = fields.pop("sharing", "open")
    partner = side(
        other, plan_id=f"{other}:HR-1", title=PLANS[other].title if other in PLANS else "Payroll", sharing=sharing,
        tender_window=PLANS[other].tender_window if other in PLANS else SUMMER, **fields.pop("partner", {}),
    )  # fmt: skip
    mine = side(own, plan_id=fields.pop("plan_id", f"{own}:HR-1"), title=PLANS[own].title)
    common = window(max(PLANS[own].tender_window.earliest, partner.tender_window.earliest).isoformat(), "2027-09-30")
    decide_by = date(2027, 3, 19) if YORK in (own, other) else date(2027, 1, 15)
    given = {"common_window": common, "decide_by": decide_by} | fields
    if change == "withdrawn":
        given |= {"material": 2, "status": "withdrawn"}
    disclosed = DisclosedFacts(PLANS[own], PLANS[other]) if other in PLANS else None
    name = {CAMDEN: "London Borough of Camden"}.get(other) or f"{SHORT[other]} Council"
    contact = f"buying@{other.lower()}.example"
    return opportunity_view(state(mine, partner, **given), own, band, change, name, contact, disclosed)


def suggestion(
    purpose: str,
    *items: OpportunityView,
    groups: Any = None,
    authority: str = LEEDS,
    frameworks: Any = None,
    suppliers: tuple[str, ...] = (),
    searches: Any = (),
) -> Any:
    """An email about opportunities, or about saved searches."""
    name = f"{SHORT[authority]} City Council"
    letter = mail_view.email_view(
        authority, name, purpose, items, AT.date(), groups or {}, {}, SIGNED, frameworks or {}, {}, suppliers, searches
    )
    return email_message.text(letter, WHO, "m" * 32), email_message.html(letter, WHO, "m" * 32), letter.headline.subject


LOOKED_AT = build_coalition_routes(
    RouteEntry(step, outcome, date(2026, 11, 20), "Category manager", LEEDS, date(2026, 11, 20), reason=reason)
    for step, outcome, reason in (
        (RouteStep.FRAMEWORK, RouteOutcome.UNSUITABLE, RouteReason.SCOPE),
        (RouteStep.COALITION, RouteOutcome.CHOSEN, None),
    )
)


def invitation() -> Any:
    """An email about a coalition."""
    asked = CoalitionInvitation(
        by=f"{LEEDS}:HR-1",
        invited_on=date(2026, 11, 26),
        reply_by=date(2027, 1, 8),
        scope="HR and payroll for 40,000 payslips a month",
        route="two frameworks looked at",
    )
    states = {LEEDS: "accepted", BRADFORD: "invited", KIRKLEES: "invited", CALDERDALE: "accepted"}
    inviting = group("inviting", invitation=asked, **states)
    mailboxes = {LEEDS: "procurement@leeds.example"}
    letter = coalition_letter(
        inviting, f"{BRADFORD}:HR-1", NoticeKind.INVITATION, "Bradford Council", SHORT, mailboxes, SIGNED, LOOKED_AT
    )
    return coalition_email.text(letter, WHO), coalition_email.html(letter, WHO), letter.headline.subject


def formed() -> Any:
    """An email about a coalition that has formed, to a member that has only said yes in principle."""
    states = dict.fromkeys((LEEDS, BRADFORD, KIRKLEES), "accepted")
    found = group("formed", **states, **{CALDERDALE: "lapsed"})
    members = tuple(one.model_copy(update={"committed": one.authority == LEEDS}) for one in found.members)
    letter = coalition_letter(
        found.model_copy(update={"members": members}), f"{BRADFORD}:HR-1", NoticeKind.FORMED, "Bradford Council",
        SHORT, {LEEDS: "procurement@leeds.example"}, SIGNED, LOOKED_AT,
    )  # fmt: skip
    return coalition_email.text(letter, WHO), coalition_email.html(letter, WHO), letter.headline.subject


def ended() -> Any:
    """An email about a group that ended without a contract."""
    because = "Fewer than two members are left."
    found = group("dissolved", ended_because=because, **dict.fromkeys((LEEDS, BRADFORD), "accepted"))
    letter = coalition_letter(
        found, f"{BRADFORD}:HR-1", NoticeKind.ENDED, "Bradford Council", SHORT, {}, SIGNED, LOOKED_AT
    )
    return coalition_email.text(letter, WHO), coalition_email.html(letter, WHO), letter.headline.subject


def emails() -> dict[str, tuple[str, str, str]]:
    """Each email as text, HTML and subject."""
    closed = pair(LEEDS, CAMDEN, sharing="match_only", band="digest")
    return {
        "group": suggestion(
            "immediate",
            pair(LEEDS, BRADFORD),
            pair(LEEDS, KIRKLEES, score=81.0),
            pair(LEEDS, YORK, score=76.0),
            groups={f"{LEEDS}:HR-1": SuggestedGroup(group(), SHORT)},
            frameworks={
                f"{LEEDS}:HR-1": {"EX-0001": "Back-office software", "EX-0002": "Payroll bureau"},
                f"{BRADFORD}:HR-1": {"EX-0001": "Back-office software"},
                f"{KIRKLEES}:HR-1": {"EX-0001": "Back-office software"},
            },
        ),
        "pair": suggestion("immediate", pair(BRADFORD, KIRKLEES, "again"), authority=BRADFORD),
        "digest": suggestion(
            "digest",
            pair(LEEDS, BRADFORD, band="digest", score=62.0, partner={"origin": "notice", "notice": NOTICE}),
            pair(LEEDS, YORK, "stronger", band="digest", score=58.0, reasons=CAVEATS),
            pair(LEEDS, CALDERDALE, band="digest", score=55.0, plan_id=f"{LEEDS}:ICT-7", decide_by=date(2026, 11, 13)),
            closed,
            suppliers=(SUPPLIERS,),
        ),
        "closed": suggestion("digest", closed),
        "searches": suggestion(
            "digest",
            searches=(
                search_section(
                    "Payroll in Yorkshire and the Humber",
                    [
                        *((one, f"{SHORT[one]} Council", PLANS[one]) for one in SHORT if one != LEEDS),
                        *((CAMDEN, "London Borough of Camden", PLANS[one]) for one in (YORK, BRADFORD)),
                    ],
                ),
                search_section("Paywell <b>ends</b>", [(CAMDEN, "London Borough of Camden", PLANS[BRADFORD])]),
            ),
        ),
        "correction": suggestion(
            "correction", pair(LEEDS, BRADFORD, "withdrawn", reasons=("Bradford has withdrawn its plan.",))
        ),
        "invitation": invitation(),
        "formed": formed(),
        "ended": ended(),
    }


if __name__ == "__main__":
    for name, (text, html, subject) in emails().items():
        (FOLDER / f"{name}.txt").write_text(f"Subject: {subject}\n\n{text}", encoding="utf-8")
        (FOLDER / f"{name}.html").write_text(html, encoding="utf-8")
