"""A whole journey in a real browser, and every page at two widths."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe

from services.coalitions.benchmark_requests import sweep_requests
from services.domain.links import LinkMaker
from services.local_stack.mail_sink import MailSink
from services.platform.clock import today
from services.store import authorities
from services.web.plan_questions import QUESTIONS
from tests.support.coalitions import AS_OF, BRADFORD, CALDERDALE, LEEDS, plan, plan_id
from tests.support.contracts import ContractsHarness, contract
from tests.support.ids import opportunity_id
from tests.support.web import BASE, SECRET
from tests.web.browser import WIDTHS, Site, needs_chromium, sign_in, tab_to

pytestmark = needs_chromium


async def test_from_the_email_to_a_formed_group(open_site: Site, mailbox: MailSink) -> None:
    # Leeds answers by the link, with the keyboard alone.
    leeds = await open_site.visitor()
    page = await leeds.new_page()
    await page.goto(await open_site.web.link(LEEDS))
    await tab_to(page, "#answer")
    await page.keyboard.press("Space")
    await tab_to(page, "main button")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/check?**")
    await tab_to(page, "main button")
    await page.keyboard.press("Enter")
    await page.get_by_text("Reply sent").wait_for()
    assert await page.get_by_role("button", name=re.compile("Take back")).count() == 1

    # Leeds signs in and invites.
    page = await sign_in(open_site, leeds, "Leeds", mailbox)
    await page.get_by_role("link", name="Replacement of the HR and payroll system").first.click()
    await page.get_by_role("link", name="Invite the others").click()
    await page.get_by_label("What did you check before?").fill("No framework covers payroll on the day of need.")
    await page.get_by_role("button", name="Send the invitation").click()
    await page.get_by_text("Reply sent").wait_for()

    # Bradford accepts without JavaScript, Kirklees on a telephone.
    for council, visitor in (
        ("Bradford", await open_site.visitor(scripts=False)),
        ("Kirklees", await open_site.visitor(width=375)),
    ):
        page = await sign_in(open_site, visitor, council, mailbox)
        assert await page.get_by_text("You are invited").count()
        await page.locator(".govuk-task-list__link").click()
        await page.get_by_role("link", name="Accept the invitation").click()
        await page.get_by_role("button", name="Accept").click()
        await page.get_by_text("Reply sent").wait_for()
    state = await open_site.web.processes.only()
    assert (state.status, state.lead) == ("formed", plan_id(LEEDS))


async def paths(opened: Site) -> dict[str, str]:
    """A name and an address for every kind of page."""
    coalition = (await opened.web.processes.only()).coalition_id
    link = await opened.web.link(LEEDS)
    async with opened.web.processes.sessions() as session:
        row = (await authorities.by_codes(session, [LEEDS]))[LEEDS]
    stop = LinkMaker(BASE, (SECRET,)).stop(LEEDS, "immediate", row.mailbox_ref, today(None)).removeprefix(BASE)
    return {
        "start": "/",
        "accessibility": "/accessibility",
        "privacy": "/privacy",
        "not-found": "/no-such-page",
        "dead-link": "/g/nonsense",
        "group": link,
        "pair": await opened.web.link(LEEDS, opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))),
        "question-dates": f"{link}/question?answer=other-dates",
        "question-reason": f"{link}/question?answer=not-this-time",
        "check": f"{link}/check?answer=interested",
        "stop": stop,
        "sign-in": "/sign-in",
        "sign-in-code": "/sign-in/code",
        "home": "/home",
        "plan": f"/p/{plan_id(LEEDS)}",
        "search": "/search?need=payroll",
        "introduce": f"/o/{opportunity_id(plan_id(LEEDS), plan_id(CALDERDALE))}/introduce",
        "match-only": f"/o/{opportunity_id(plan_id(LEEDS), plan_id(CALDERDALE))}",
        "what-if": f"/p/{plan_id(LEEDS)}/what-if?change=later&months=4",
        "plan-new": "/plans/new",
        "plan-draft": f"/p/{plan_id(LEEDS)}/draft",
        **{f"plan-{one.slug}": f"/p/{plan_id(LEEDS)}/draft/{one.slug}" for one in QUESTIONS if one.slug != "extension"},
        "plan-end": f"/p/{plan_id(LEEDS)}/end",
        "plan-sent": f"/p/{plan_id(LEEDS)}/sent/1",
        "route": f"/p/{plan_id(LEEDS)}/route",
        "benchmark": f"/p/{plan_id(LEEDS)}/benchmark",
        "benchmarks": "/benchmarks",
        "asked": f"/asked/{await _asked(opened)}",
        "suppliers": "/suppliers",
        "suppliers-found": "/suppliers?name=payroll",
        "contracts": "/contracts",
        "documents": "/documents",
        "settings": "/settings",
        "mailbox": "/settings/mailbox",
        "mailbox-changed": "/mailbox-changed",
        "tokens": "/settings/access",
        "calendar": "/settings/calendar",
        "muted": "/settings/muted",
        "delegations": "/settings/delegations",
        "own-numbers": "/programme",
        "sign-out": "/sign-out",
        "coalition": f"/c/{coalition}",
        "invite": f"/c/{coalition}/do/invite",
    }


async def _asked(opened: Site) -> str:
    """The id of a request that asks Leeds what it pays for waste collection."""
    processes, waste = opened.web.processes, ["90500000"]
    await ContractsHarness(processes.sessions, AS_OF).handle(contract(LEEDS, cpv=waste))
    values = {"plan_id": f"{BRADFORD}:WASTE", "title": "Waste collection", "kind": "extension", "cpv": waste}
    current = {"extension": {"months": 13}, "current_contract": {"reference": "C-1", "end": "2027-03-31"}}
    window = {"earliest": "2031-01-01", "latest": "2031-02-01"}
    await processes.publish(plan(BRADFORD, **values, **current, tender_window=window))
    await sweep_requests(processes.sessions, AS_OF)
    ((request_id, council),) = await processes.rows("SELECT request_id, authority FROM benchmark_enquiries")
    assert council == LEEDS
    return str(request_id)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
async def test_each_page_is_accessible_and_fits(open_site: Site, mailbox: MailSink, width: int, tmp_path: Path) -> None:
    """axe finds nothing, nothing is wider than the screen, the policy refuses nothing. Pictures stay for a look."""
    visitor = await open_site.visitor(width=width)
    page, problems = await sign_in(open_site, visitor, "Leeds", mailbox), []
    await page.goto(f"/p/{plan_id(LEEDS)}")
    await page.get_by_role("button", name="Change this plan").click()
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    for name, path in (await paths(open_site)).items():
        await page.goto(path)
        found = await Axe().run(page)
        problems += [f"{name}: {one['id']} {one['nodes'][0]['html'][:200]}" for one in found.response["violations"]]
        wide = await page.evaluate("document.documentElement.scrollWidth")
        problems += [f"{name} is {wide} pixels wide"] if wide > width else []
        await page.screenshot(path=tmp_path / f"{name}-{width}.png", full_page=True)
    assert problems == []


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
async def test_errors_are_accessible_too(open_site: Site, width: int, tmp_path: Path) -> None:
    visitor = await open_site.visitor(width=width)
    page = await visitor.new_page()
    link = await open_site.web.link(LEEDS)
    for name, path in {"answer": link, "dates": f"{link}/question?answer=other-dates", "sign-in": "/sign-in"}.items():
        await page.goto(path)
        await page.locator("main form button").first.click()
        await page.get_by_text("There is a problem").wait_for()
        assert (await Axe().run(page)).response["violations"] == []
        await page.screenshot(path=tmp_path / f"error-{name}-{width}.png", full_page=True)


@pytest.mark.slow
async def test_a_plan_is_added_without_javascript_on_a_telephone(open_site: Site, mailbox: MailSink) -> None:
    page = await sign_in(open_site, await open_site.visitor(scripts=False, width=375), "Leeds", mailbox)
    await page.get_by_role("link", name="Add a plan").click()
    await page.get_by_label("What do you plan to buy?").fill("Payroll software")
    chosen = {"kind": "It replaces a contract", "stage": "Planned", "preference": "We would lead", "sharing": "Open"}
    for question in QUESTIONS:
        if question.slug in chosen:
            await page.get_by_label(chosen[question.slug]).check()
        if question.slug == "dates":
            for which, date in (("First day", ("1", "7", "2027")), ("Last day", ("30", "9", "2027"))):
                for part, value in zip(("Day", "Month", "Year"), date, strict=True):
                    await page.get_by_role("group", name=which).get_by_label(part).fill(value)
        if question.slug != "extension":
            await page.get_by_role("button", name="Save and continue").click()
    await page.get_by_role("button", name="Publish this plan").click()
    await page.get_by_text("Your plan is up to date").wait_for()
    await page.get_by_role("link", name="See your plan").click()
    assert await page.get_by_role("heading", name="Payroll software").count() == 1
