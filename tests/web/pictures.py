"""Makes the pictures in the documentation from the sample: `make pictures`."""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page

from services.local_stack.demo_office import OFFICE_NAME, register_office
from services.local_stack.mail_sink import MailSink, run_mail_sink
from services.local_stack.postgres import postgres
from services.local_stack.sample import sample_plans
from services.platform.clock import today
from services.store.authorities import AuthorityUpdate, save
from services.store.database import transaction
from tests.support.coalitions import AS_OF, LEEDS
from tests.support.ids import migrate_for_tests
from tests.support.web import WebHarness
from tests.web.browser import sign_in, site
from tests.web.harness import open_web


async def make_pictures(web: WebHarness, mailbox: MailSink, folder: Path) -> list[Path]:
    """Pictures of the page that an email opens, of home, and of a group, as Leeds sees them, and of an office's pages;
    their files."""
    made = []

    async def shoot(page: Page, name: str, path: str) -> None:
        await page.goto(path)
        made.append(folder / f"{name}.png")
        await page.screenshot(path=made[-1])

    await web.processes.publish(*sample_plans(AS_OF))
    async with transaction(web.processes.sessions) as session:
        await save(session, AuthorityUpdate(LEEDS, {"name": "Leeds City Council"}))
        await register_office(session, {payload.authority for payload in sample_plans(AS_OF)}, AS_OF)
    rows = await web.processes.rows(
        "SELECT coalition_id FROM coalition_members JOIN coalitions USING (coalition_id)"
        f" WHERE authority = '{LEEDS}' AND status = 'suggested' ORDER BY coalition_id"
    )
    coalition = rows[0].coalition_id
    async with site(web) as opened:
        visitor = await opened.visitor()
        await shoot(await visitor.new_page(), "group", await web.link(LEEDS, coalition))
        page = await sign_in(opened, visitor, "Leeds", mailbox)
        await shoot(page, "home", "/home")
        await shoot(page, "coalition", f"/c/{coalition}")
        page = await sign_in(opened, await opened.visitor(), OFFICE_NAME, mailbox, "**/programme")
        # The log's days are those of the clock, whatever the day of the sample.
        now = today(None)
        await shoot(page, "programme", f"/programme?as_of-day={now.day}&as_of-month={now.month}&as_of-year={now.year}")
        await shoot(page, "convene", f"/convene/{coalition}")
    return made


def main(folder: Path) -> None:
    """Makes them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="jointly-pictures-") as place,
        postgres(Path(place) / "postgres", durable=False) as server,
        server.fresh_database() as url,
        run_mail_sink(Path(place) / "mails") as mailbox,
    ):
        migrate_for_tests(url)
        for file in asyncio.run(_make(url, mailbox, folder)):
            print(file)  # noqa: T201


async def _make(url: str, mailbox: MailSink, folder: Path) -> list[Path]:
    async with open_web(url, mailbox) as web:
        return await make_pictures(web, mailbox, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
