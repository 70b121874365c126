"""What forms lead to, in a browser: pages that only a button shows, and the whole journey by the keyboard alone."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from services.local_stack.mail_sink import MailSink
from tests.support.coalitions import LEEDS, plan_id
from tests.web.browser import WIDTHS, Site, needs_chromium, sign_in, tab_to

pytestmark = [needs_chromium, pytest.mark.slow]


async def look(page: Page, name: str, width: int, folder: Path) -> None:
    """axe finds nothing, and nothing is wider than the screen. A picture stays for a look."""
    assert [one["id"] for one in (await Axe().run(page)).response["violations"]] == [], name
    assert await page.evaluate("document.documentElement.scrollWidth") <= width, name
    await page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS)
async def test_pages_behind_a_form_are_accessible(
    open_site: Site, mailbox: MailSink, width: int, tmp_path: Path
) -> None:
    page = await sign_in(open_site, await open_site.visitor(width=width), "Leeds", mailbox)
    await page.goto("/settings/access")
    await page.get_by_role("button", name="Make a token").click()
    await look(page, "tokens-error", width, tmp_path)
    await page.get_by_label("What reads with it?").fill("Contracts system")
    await page.get_by_label("Your plans").check()
    await page.get_by_role("button", name="Make a token").click()
    await look(page, "token", width, tmp_path)
    await page.get_by_role("link", name="I have copied it").click()
    await look(page, "tokens-with-one", width, tmp_path)
    await page.get_by_role("link", name="Revoke").click()
    await look(page, "token-revoke", width, tmp_path)
    await page.goto("/settings/calendar")
    await page.get_by_role("button", name="Make an address").click()
    await look(page, "calendar-address", width, tmp_path)
    await page.get_by_role("link", name="I have copied it").click()
    await look(page, "calendar-with-one", width, tmp_path)
    await page.goto("/settings/mailbox")
    await page.get_by_label("New mailbox").fill("buying@leeds.example")
    await page.get_by_role("button", name="Send both codes").click()
    await page.get_by_role("button", name="Change the mailbox").click()
    await look(page, "mailbox-codes-error", width, tmp_path)
    await page.goto(f"/p/{plan_id(LEEDS)}/benchmark")
    await page.get_by_role("button", name="Show what others pay").click()
    await look(page, "benchmark-shown", width, tmp_path)
    await page.goto(f"/p/{plan_id(LEEDS)}/route")
    await page.get_by_role("button", name="Record").click()
    await look(page, "route-error", width, tmp_path)
    await page.get_by_label("This plan").check()
    await page.get_by_label("A contract of our own").check()
    await page.get_by_label("We take it").check()
    await page.get_by_label("Your position").fill("Category manager, ICT")
    await page.get_by_role("button", name="Record").click()
    await page.get_by_text("Recorded.").wait_for()
    await look(page, "route-recorded", width, tmp_path)


async def follow(page: Page, selector: str) -> None:
    """Moves there with Tab, presses Enter, and waits for the page that it leads to."""
    await tab_to(page, selector)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def choose(page: Page, selector: str) -> None:
    """Moves there with Tab and presses the space bar."""
    await tab_to(page, selector)
    await page.keyboard.press("Space")


async def enter(page: Page, fields: dict[str, str]) -> None:
    """Types into fields, one after the other."""
    for name, text in fields.items():
        await tab_to(page, f"#{name}")
        await page.keyboard.type(text)


async def test_the_journey_needs_no_mouse(open_site: Site, mailbox: MailSink) -> None:
    coalition = (await open_site.web.processes.only()).coalition_id
    person = {"name": "Ann Other", "job_title": "Category manager"}

    async def enter_as(council: str) -> Page:
        mailbox.clear()
        page = await (await open_site.visitor()).new_page()
        await page.goto("/")
        await follow(page, ".govuk-button--start")
        await enter(page, {"council": council})
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/sign-in/code")
        await enter(page, {"code": await open_site.web.code(mailbox), **person})
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/home")
        await follow(page, f'a[href="/c/{coalition}"]')
        await page.wait_for_url(f"**/c/{coalition}")
        return page

    page = await enter_as("Leeds")
    await follow(page, 'a[href$="/do/invite"]')
    await enter(page, {"route": "No framework covers payroll on the day of need."})
    await follow(page, "main button")
    await page.get_by_text("Reply sent").wait_for()
    for council in ("Bradford", "Kirklees"):
        page = await enter_as(council)
        await follow(page, 'a[href$="/do/accept"]')
        await follow(page, "main button")
        await page.get_by_text("Reply sent").wait_for()
    await follow(page, f'main a[href="/c/{coalition}"]')
    # The tabs are moved along with the arrow keys; what is shown can be reached with Tab.
    await tab_to(page, "#tab_members")
    for _ in range(2):
        await page.keyboard.press("ArrowRight")
    await follow(page, 'a[href$="/do/document"]')
    await enter(page, {"title": "Draft specification", "url": "https://files.kirklees.example/draft"})
    await choose(page, "#document")
    await choose(page, "#readers")
    await follow(page, "main button")
    await page.get_by_text("Reply sent").wait_for()
    assert (await open_site.web.processes.only()).status == "formed"
    assert re.search("files.kirklees.example", await (await page.goto(f"/c/{coalition}")).text())  # type: ignore[union-attr]


async def test_settings_routes_and_tabs_work_without_javascript(open_site: Site, mailbox: MailSink) -> None:
    page = await sign_in(open_site, await open_site.visitor(scripts=False, width=375), "Leeds", mailbox)
    await page.goto("/settings/access")
    await page.get_by_label("What reads with it?").fill("Contracts system")
    await page.get_by_label("Your plans").check()
    await page.get_by_role("button", name="Make a token").click()
    assert (await page.locator("main code").first.inner_text()).startswith("jly_")
    await page.goto("/settings/calendar")
    await page.get_by_role("button", name="Make an address").click()
    assert (await page.locator("main code").first.inner_text()).endswith(".ics")
    await page.goto(f"/p/{plan_id(LEEDS)}/route")
    for label in ("This plan", "A framework", "We looked for one, and found none"):
        await page.get_by_label(label, exact=True).check()
    await page.get_by_label("Your position").fill("Category manager, ICT")
    await page.get_by_role("button", name="Record").click()
    await page.get_by_text("Recorded.").wait_for()
    await page.goto(f"/p/{plan_id(LEEDS)}/benchmark")
    await page.get_by_role("button", name="Show what others pay").click()
    await page.get_by_text("No prices are shared for category 48450 yet.").wait_for()
    await page.goto(f"/c/{(await open_site.web.processes.only()).coalition_id}")
    for panel in ("Dates", "Documents", "Decisions"):
        await page.get_by_role("heading", name=panel, exact=True).wait_for()
