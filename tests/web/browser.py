"""The pages in the system's chromium: served on a port, with the answers handed on beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from services.local_stack.child_process import LOOPBACK, free_port
from services.local_stack.mail_sink import MailSink
from services.web.parts import WebParts
from services.web.process import serve_pages
from tests.support.web import WebHarness

CHROMIUM: Final = Path("/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: `apt-get install chromium` puts it there"
)


@dataclass
class Site:
    """The pages' address, a browser, and the harness behind them."""

    base: str
    browser: Browser
    web: WebHarness

    async def visitor(self, *, scripts: bool = True, width: int = 1200) -> BrowserContext:
        """A person's browser with no cookies yet."""
        return await self.browser.new_context(
            java_script_enabled=scripts, viewport={"width": width, "height": 900}, base_url=self.base
        )


@asynccontextmanager
async def site(web: WebHarness) -> AsyncIterator[Site]:
    """The pages on a port of their own, until the block ends."""
    port = free_port()
    base = f"http://{LOOPBACK}:{port}"
    settings = web.processes.settings.model_copy(update={"web_port": port, "public_url": base})
    serving = asyncio.create_task(serve_pages(WebParts(web.processes.sessions, settings)))
    relaying = asyncio.create_task(_deliver_for_ever(web))
    async with async_playwright() as playwright:
        await _until_open(base)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield Site(base, browser, web)
        finally:
            await browser.close()
            for task in (relaying, serving):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def sign_in(
    opened: Site, context: BrowserContext, council: str, mailbox: MailSink, home: str = "**/home"
) -> Page:
    """A person signs in with the code from the mailbox; the page they get."""
    mailbox.clear()
    page = await context.new_page()
    await page.goto("/sign-in")
    await page.get_by_label("What is your council's name?").fill(council)
    await page.get_by_role("button", name="Send a code").click()
    await page.get_by_label("Code", exact=True).fill(await opened.web.code(mailbox))
    await page.get_by_label("Your name").fill("Ann Other")
    await page.get_by_label("Your job title").fill("Category manager")
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(home)
    return page


async def tab_to(page: Page, selector: str) -> None:
    """Moves the focus as a keyboard does, until it is on this element."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never comes to {selector}")


async def _deliver_for_ever(web: WebHarness) -> None:
    while True:
        await web.deliver()
        await asyncio.sleep(0.05)


async def _until_open(base: str) -> None:
    async with httpx2.AsyncClient() as client:
        for _ in range(200):
            with suppress(httpx2.ConnectError):
                if (await client.get(base)).status_code == 200:
                    return
            await asyncio.sleep(0.05)
    raise AssertionError("the pages did not open")


WIDTHS = (375, 1200)
