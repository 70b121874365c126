"""A group's pages after the councils have agreed: headings, answers that can't be taken back, the plan's link."""

import re
from dataclasses import replace
from datetime import date

import pytest
from starlette.datastructures import FormData

from events.coalitions import CoalitionStatus, MemberState
from events.fields import Window
from services.application.council_lines import CouncilLine
from services.application.group_view import GroupView
from services.application.own_groups import OwnGroup
from services.application.responses import Subject
from services.local_stack.mail_sink import MailSink
from services.web import answer_texts
from services.web.access import Reader
from services.web.forms import Form
from services.web.group_heading import group_heading
from services.web.templating import environment
from tests.support.coalitions import BRADFORD, CALDERDALE, KIRKLEES, LEEDS, plan, plan_id, undo, withdrawal
from tests.support.ids import opportunity_id
from tests.support.web import WebHarness

_WINDOW = Window(earliest=date(2027, 7, 1), latest=date(2027, 9, 30))


def view(status: str, own: str, *others: str, agreed: OwnGroup | None = None) -> GroupView:
    lines = [CouncilLine("E", f"Council {at}", f"E:{at}", state, _WINDOW) for at, state in enumerate((own, *others))]
    return GroupView(
        subject=Subject("coalition", "c1", 1, "E:0"),
        authority="E",
        status=status,
        own=lines[0],
        others=tuple(lines[1:]),
        disclosed=True,
        reasons=(),
        answers=(),
        agreed_group=agreed,
    )


def agreed(*others: str) -> OwnGroup:
    return OwnGroup("c2", CoalitionStatus.FORMED, others, MemberState.ACCEPTED)


@pytest.mark.parametrize(
    ("group", "heading"),
    [
        (view("suggested", "suggested", "suggested", "suggested"), "2 councils could join you"),
        (view("inviting", "accepted", "invited", "declined"), "One council could join you"),
        (view("active", "", ""), "One council could join you"),
        (view("inviting", "accepted", "declined"), "No other council is left in this group"),
        (
            view("formed", "accepted", "accepted", "accepted", "declined"),
            "You and 2 councils plan to go to market together",
        ),
        (view("formed", "invited", "accepted", "accepted"), "2 councils plan to go to market together"),
        (view("frozen", "accepted", "accepted", "accepted", "accepted"), "Joint tender with 3 councils"),
        (view("frozen", "left", "accepted", "accepted"), "Your council is not in this group"),
        (view("awarded", "accepted", "accepted"), "Joint contract with one council"),
        (view("dissolved", "left", "accepted"), "This group has ended"),
        (view("withdrawn", "", ""), "This match no longer holds"),
        (
            view("suggested", "suggested", "suggested", agreed=agreed("A", "B")),
            "You are already in an agreed group with A and B",
        ),
        (view("suggested", "suggested", "suggested", agreed=agreed()), "You are already in an agreed group"),
        (view("formed", "accepted", "left"), "No other council is left in this group"),
        (view("frozen", "accepted", "left"), "No other council is left in this group"),
        (view("formed", "invited", "accepted"), "One council plans to go to market together"),
        (view("formed", "accepted", "accepted"), "You and one council plan to go to market together"),
    ],
)
def test_the_heading_says_how_the_group_stands(group: GroupView, heading: str) -> None:
    assert group_heading(group) == heading


@pytest.mark.parametrize(
    ("group", "offered"),
    [
        (replace(view("formed", "accepted", "accepted"), acts=("leave",)), True),
        (view("formed", "accepted", "accepted"), False),
        (replace(view("suggested", "suggested", "suggested", agreed=agreed("A")), acts=("invite",)), False),
        (replace(view("frozen", "accepted", "accepted"), acts=("leave",), closed="Closed."), False),
    ],
)
def test_signing_in_is_offered_where_the_council_can_act(group: GroupView, offered: bool) -> None:
    reader = Reader("E", "c1", "/g/token", None)
    page = environment().get_template("group.html")
    shown = page.render(reader=reader, group=group, texts=answer_texts, hints=answer_texts.HINTS, form=Form(FormData()))
    assert ("Sign in and open the group<" in shown) == offered


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


async def test_after_the_agreement_the_pages_say_so(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(*(plan(authority) for authority in (LEEDS, BRADFORD, KIRKLEES)))
    group = (await web.processes.only()).coalition_id
    open_group = f'<a class="govuk-link" href="/c/{group}">Sign in and open the group</a>'
    await web.processes.invite(LEEDS)
    for guest in (BRADFORD, KIRKLEES):
        await web.processes.act(guest, "accept")
    ((accepted,),) = await web.processes.rows(f"SELECT response_id FROM responses WHERE authority = '{BRADFORD}'")
    link = await web.link(BRADFORD, group)
    page = (await web.client.get(link)).text
    assert "You and 2 councils plan to go to market together" in text_of(page)
    assert "Take back" in page
    assert open_group in page

    await web.processes.publish(plan(CALDERDALE))
    pair = await web.link(BRADFORD, opportunity_id(plan_id(BRADFORD), plan_id(CALDERDALE)))
    page = (await web.client.get(pair)).text
    assert "You are already in an agreed group with Kirklees and Leeds" in text_of(page)
    assert f'href="/c/{group}"' in page
    assert "Decide by" in page
    assert "We tell you of it again only if it changes. No reason is needed." in page
    assert "You leave this group" not in page

    await web.processes.publish(plan(LEEDS, 2, stage="tendering"))
    page = (await web.client.get(link)).text
    assert "Joint tender with 2 councils" in text_of(page)
    assert open_group not in page
    assert "Take back" not in page, "the notice names Bradford"
    await web.processes.respond(undo(BRADFORD, group, accepted, 99))
    assert (await web.processes.refusals())[-1][1] == (
        "the tender notice is out and names your council, so this answer can no longer be taken back: "
        "contact the lead, or leave the group"
    )
    await web.processes.publish(plan(KIRKLEES, 2, stage="tendering"), withdrawal(CALDERDALE))
    await web.sign_in(BRADFORD, mailbox)
    page = (await web.client.get(f"/p/{plan_id(BRADFORD)}")).text
    assert "The plan is in a group with Kirklees and Leeds (in the market)." in re.sub(r" (?=[).])", "", text_of(page))
    assert f'href="/c/{group}"' in page
    assert "No other matches." in page
    assert "You get an email when one does" not in page
    page = (await web.client.get(f"/c/{group}/do/leave")).text
    assert "You can leave at any time." in page
    assert "Once it is out, amend it if you lead; otherwise ask the lead to." in page
    assert "Joint tender with 2 councils" in text_of((await web.client.get(f"/c/{group}")).text)


async def test_a_plan_is_in_a_group_only_once_it_has_accepted(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(*(plan(authority) for authority in (LEEDS, BRADFORD, KIRKLEES)))
    await web.sign_in(BRADFORD, mailbox)
    own = f"/p/{plan_id(BRADFORD)}"

    async def places() -> list[str]:
        pages = [text_of((await web.client.get(path)).text) for path in (own, f"{own}/route")]
        found = [re.search(r"(A group is suggested|The plan is) [^.]*\.", page) for page in pages]
        return [re.sub(r" (?=[).])", "", one[0]) if one else "" for one in found]

    assert await places() == ["A group is suggested with Kirklees and Leeds."] * 2
    await web.processes.invite(LEEDS)
    assert await places() == ["The plan is invited to a group with Kirklees and Leeds."] * 2
    await web.processes.act(BRADFORD, "accept")
    await web.processes.act(KIRKLEES, "accept")
    assert await places() == ["The plan is in a group with Kirklees and Leeds (agreed)."] * 2
