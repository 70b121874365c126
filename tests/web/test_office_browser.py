"""The pages of an office in a real browser: accessible and within the screen at two widths, and it convenes there."""

from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe

from services.local_stack.mail_sink import MailSink
from services.store.authorities import AuthorityUpdate, save
from services.store.database import transaction
from tests.support.coalitions import AS_OF, BRADFORD, KIRKLEES, LEEDS, plan
from tests.support.parties import OFFICE_NAME, register_party, since
from tests.support.web import WebHarness
from tests.web.browser import needs_chromium, sign_in, site

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.mark.parametrize("width", [375, 1200])
async def test_each_page_of_the_office_is_accessible_and_fits(
    web: WebHarness, mailbox: MailSink, width: int, tmp_path: Path
) -> None:
    await web.processes.publish(*(plan(authority) for authority in (LEEDS, BRADFORD, KIRKLEES)))
    await register_party(web.processes.sessions, since(AS_OF, LEEDS, BRADFORD), mailbox="office@gb-x-office.example")
    async with transaction(web.processes.sessions) as session:
        await save(session, AuthorityUpdate(LEEDS, {"signed_on": AS_OF, "signatory": "Chief Digital Officer"}))
    path, problems = f"/convene/{(await web.processes.only()).coalition_id}", []
    async with site(web) as opened:
        visitor = await opened.visitor(width=width)
        page = await sign_in(opened, visitor, OFFICE_NAME, mailbox, "**/programme")
        page.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)

        async def look(name: str) -> None:
            found = await Axe().run(page)
            problems.extend(f"{name}: {one['id']}" for one in found.response["violations"])
            wide = await page.evaluate("document.documentElement.scrollWidth")
            problems.extend([f"{name} is {wide} pixels wide"] if wide > width else [])
            await page.screenshot(path=tmp_path / f"{name}-{width}.png", full_page=True)

        for name, address in {
            "programme": "/programme?rate=2-5",
            "programme-error": "/programme?rate=lots",
            "signatories": "/signatories",
            "convene": "/convene",
            "settings": "/settings",
            "settings-mailbox": "/settings/mailbox",
            "settings-muted": "/settings/muted",
            "settings-access": "/settings/access",
            "convene-group": path,
        }.items():
            await page.goto(address)
            await look(name)
        for box in await page.get_by_role("checkbox").all():
            await box.uncheck()
        await page.get_by_role("button", name="Send the invitation").click()
        await page.get_by_text("There is a problem").wait_for()
        await look("convene-error")
        for box in await page.get_by_role("checkbox").all():
            await box.check()
        await page.get_by_role("button", name="Send the invitation").click()
        await page.get_by_text("Invitation sent").first.wait_for()
        await look("convene-sent")
    assert problems == []
    assert (await web.processes.states())[BRADFORD] == "invited"
