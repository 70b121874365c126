"""From plans to the emails that suggest partners: one block a need, with what the plans share, and nothing else."""

from datetime import timedelta
from email.message import EmailMessage

import pytest

from events.responses import ResponseAnswered
from services.matcher.framework_vectors import embed_frameworks
from services.store.authorities import AuthorityUpdate, save
from services.store.database import now, transaction
from services.store.framework_index import FrameworkIndex
from services.store.frameworks import replace_frameworks
from tests.support.coalitions import ALL, BRADFORD, CALDERDALE, KIRKLEES, LEEDS, award, pair_fields, plan, withdrawal
from tests.support.frameworks import SOFTWARE
from tests.support.notified_coalitions import THREE, Line, is_receipt
from tests.support.notifier import body

NOW = {"supplier": "Paywell Ltd", "end": "2028-03-31"}


async def _tell(line: Line) -> None:
    line.notifier.later(minutes=5)
    await line.notifier.run()


async def test_a_group_is_one_block_with_what_its_plans_share(line: Line) -> None:
    await line.plans(plan(LEEDS), plan(BRADFORD, value=None), plan(KIRKLEES, current_contract=NOW, preference="lead"))
    await _tell(line)
    (mail,) = line.notifier.mails(LEEDS.lower())
    text = body(mail).replace("\r\n", "\n")
    assert mail["Subject"] == "Replacement of the HR\u2026: with 2 councils? Reply by 8 January"
    assert (
        text.count("Your plan: Replacement of the HR and payroll system (HR-1), £1.2 million, tender Jul-Sep 2027") == 1
    )
    assert "You, Bradford and Kirklees" not in text, "nobody is outside the group"
    for said in (
        "Two councils plan to buy this when you do. We suggest Kirklees brings the group together.",
        "Bradford                   Replacement of the HR and payroll system  Not given     Jul-Sep 2027",
        "Kirklees (suggested lead)  Replacement of the HR and payroll system  £1.2 million  Jul-Sep 2027",
        "Contract now: Paywell Ltd, ends 31 March 2028.",
        "Reply by 8 January 2027.\nDecide together by 16 February 2027.\nTender together from 1 July 2027.",
        "Why: These plans fit each other.",
        "You get this because Council E08000035 signed the Charter on 1 April 2026.",
    ):
        assert said in text, said
    html = body(mail, "html")
    assert html.count("<h1") == 1
    assert "At least £2.4 million together. Together from July 2027." in html


async def test_a_need_names_frameworks_to_check_and_to_use_jointly(line: Line) -> None:
    async with transaction(line.harness.sessions) as session:
        await replace_frameworks(session, [SOFTWARE])
    await embed_frameworks(line.harness.matcher.context, line.harness.sessions)
    line.notifier.frameworks = FrameworkIndex(line.harness.settings)
    await line.plans(plan(LEEDS), plan(BRADFORD), plan(KIRKLEES, title="HR and payroll call-off"))
    await _tell(line)
    (mail,) = line.notifier.mails(LEEDS.lower())
    for said in (body(mail).replace("\r\n", "\n"), body(mail, "html")):
        assert "Check first: 1 framework covers this." in said
        assert "Use jointly: Back-office software (EX-0001) also covers what Bradford plans." in said
    (mail,) = line.notifier.mails(KIRKLEES.lower())
    assert "Check first" not in body(mail), "a call-off is on its route"


async def test_a_digest_names_councils_with_contracts_that_end_together(line: Line) -> None:
    soon = NOW | {"end": "2027-06-30"}
    await line.plans(*(plan(code, current_contract=soon) for code in THREE), plan(CALDERDALE, current_contract=soon))
    async with transaction(line.harness.sessions) as session:
        await save(session, AuthorityUpdate(LEEDS, {"immediate": False}, frozenset([CALDERDALE])))
        await save(session, AuthorityUpdate(BRADFORD, {"immediate": False, "signed_on": None}))
    await _tell(line)
    line.notifier.later(days=7)
    await line.notifier.run()
    (mail,) = line.notifier.mails(LEEDS.lower())
    flat = " ".join(body(mail).split())
    assert "3 councils' contracts with Paywell Ltd end within a year: yours on 30 June 2027, those of Bradford" in flat
    assert "They share a supplier, not a need." in flat
    assert "Calderdale" not in flat, "it is muted"
    (mail,) = line.notifier.mails(BRADFORD.lower())
    assert "Suppliers that you share" not in body(mail), "it has not signed"
    assert all("Suppliers that you share" not in body(mail) for mail in line.notifier.mails(KIRKLEES.lower()))


@pytest.mark.parametrize("sharing", ["match_only", "private"])
async def test_what_is_shared_no_longer_is_told_no_more(line: Line, sharing: str) -> None:
    """The plan changes between the making of the email and its sending; the coalition has not been looked at yet."""
    await line.plans(*(plan(authority) for authority in THREE))
    secret = plan(KIRKLEES, 2, sharing=sharing, title="Replacement of the HR and payroll system Zephyr")
    await line.harness.matcher.handle([line.harness.record(secret)])
    await _tell(line)
    for mail in line.notifier.mails():
        assert "Zephyr" not in body(mail) + body(mail, "html") + mail["Subject"]
        if KIRKLEES.lower() not in mail["To"]:
            assert "Kirklees" not in mail["Subject"]
            assert "2 councils" not in mail["Subject"]
            assert "all fit" not in body(mail).lower()


async def test_a_plan_that_shares_only_the_match_names_neither_plan(line: Line) -> None:
    await line.plans(plan(LEEDS), plan(BRADFORD, sharing="match_only"))
    await _tell(line)
    line.notifier.later(days=7)
    await line.notifier.run()
    told = {mail["To"]: mail for mail in line.notifier.mails()}
    assert told
    for mail in told.values():
        everything = mail["Subject"] + body(mail) + body(mail, "html")
        for secret in ("HR", "ayroll", "1.2 million", "Write to", "Reply by"):
            assert secret not in everything, secret


async def test_nobody_is_told_of_its_own_act(line: Line) -> None:
    await line.plans(plan(LEEDS), plan(BRADFORD))
    await _tell(line)
    assert len(line.notifier.mails()) == 2
    await line.plans(withdrawal(BRADFORD))
    await _tell(line)
    corrections = [mail for mail in line.notifier.mails() if "no match" in mail["Subject"]]
    assert [mail["To"] for mail in corrections] == ["buying@e08000035.example"]
    assert "Bradford has withdrawn its plan." in body(corrections[0])
    first = next(mail for mail in line.notifier.mails(LEEDS.lower()) if mail is not corrections[0])
    assert corrections[0]["In-Reply-To"] == first["Message-ID"]


async def test_an_award_is_told_to_the_others_alone(line: Line) -> None:
    await line.plans(plan(LEEDS), plan(BRADFORD))
    await _tell(line)
    await line.plans(award(LEEDS))
    await _tell(line)
    corrections = [mail["To"] for mail in line.notifier.mails() if "no match" in mail["Subject"]]
    assert corrections == ["buying@e08000032.example"]


async def test_a_muted_council_is_in_no_group(line: Line) -> None:
    async with transaction(line.notifier.sessions) as session:
        await save(session, AuthorityUpdate(LEEDS, {}, frozenset([KIRKLEES])))
    await line.plans(*(plan(authority) for authority in ALL))
    await _tell(line)
    (mail,) = line.notifier.mails(LEEDS.lower())
    assert "Kirklees" not in body(mail) + mail["Subject"]
    assert "Bradford" in body(mail)
    assert "Calderdale" in body(mail)
    assert CALDERDALE.lower() in body(mail)
    (other,) = line.notifier.mails(BRADFORD.lower())
    assert "These plans fit each other" in body(other)


async def test_emails_mention_the_charter_only_where_every_need_is_ict(line: Line) -> None:
    gritting = {"title": "Winter gritting of roads", "description": "Gritting of main roads.", "cpv": ["90620000"]}
    await line.plans(*(plan(authority, **gritting) for authority in THREE))
    await _tell(line)
    await line.harness.invite(LEEDS)
    await line.deliver()
    mails = line.notifier.mails(KIRKLEES.lower())
    assert len(mails) == 2, "a match, and an invitation"
    for mail in mails:
        for said in (body(mail), body(mail, "html")):
            assert "You get this because Council E08000034 takes part in Jointly." in " ".join(said.split())
            assert "Charter" not in said


async def test_the_footer_tells_nothing_of_a_match_only_plan(line: Line) -> None:
    gritting = {"title": "Winter gritting of roads", "description": "Gritting of main roads.", "cpv": ["90620000"]}
    await line.plans(*(plan(authority, sharing="match_only") for authority in (LEEDS, BRADFORD)))
    await line.plans(*(plan(authority, sharing="match_only", **gritting) for authority in (KIRKLEES, CALDERDALE)))
    await _tell(line)
    for authority in (LEEDS, KIRKLEES):
        (mail,) = line.notifier.mails(authority.lower())
        assert "takes part in Jointly." in " ".join(body(mail).split())


async def _respond(line: Line, about: str, answer: str) -> None:
    """Leeds answers its pair with Bradford, or the suggested group."""
    if about == "group":
        await line.harness.answer(LEEDS, answer)
    else:
        fields = pair_fields(LEEDS, BRADFORD, next(line.harness.numbers))
        await line.harness.respond(ResponseAnswered(**fields, answer=answer))  # type: ignore[arg-type]


def _told(line: Line, authority: str) -> list[EmailMessage]:
    """The emails of an authority but its receipts."""
    return [mail for mail in line.notifier.mails(authority.lower()) if not is_receipt(mail)]


@pytest.mark.parametrize("about", ["pair", "group"])
async def test_a_match_declined_before_its_email_is_told_only_once_it_changes(line: Line, about: str) -> None:
    await line.plans(*(plan(authority) for authority in (THREE if about == "group" else (LEEDS, BRADFORD))))
    await _respond(line, about, "not-this-time")
    await _tell(line)
    assert _told(line, LEEDS) == []
    assert len(_told(line, BRADFORD)) == 1
    # Answers have the time of the clock, and what follows comes after them.
    line.notifier.now = now() + timedelta(minutes=1)
    await line.plans(plan(BRADFORD, 2, tender_window={"earliest": "2027-09-01", "latest": "2027-12-30"}))
    await _tell(line)
    (mail,) = _told(line, LEEDS)
    assert "Bradford" in body(mail)


async def test_the_last_answer_counts(line: Line) -> None:
    await line.plans(plan(LEEDS), plan(BRADFORD))
    await _respond(line, "pair", "not-this-time")
    await _respond(line, "pair", "interested")
    await _tell(line)
    assert len(_told(line, LEEDS)) == 1
