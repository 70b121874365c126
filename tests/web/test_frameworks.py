"""Frameworks on the page that an email opens, from stored vectors: no model is loaded for them."""

from collections.abc import Callable
from datetime import date
from html import unescape
from typing import Any

import pytest

from matching.frameworks import FrameworkLot
from services.matcher.framework_vectors import embed_frameworks
from services.store import framework_index, frameworks
from services.store.database import transaction
from services.store.framework_index import FrameworkIndex
from tests.support.coalitions import BRADFORD, KIRKLEES, LEEDS, plan, plan_id
from tests.support.frameworks import SOFTWARE
from tests.support.ids import opportunity_id
from tests.support.web import WebHarness

BEFORE = FrameworkLot("EX-0009", SOFTWARE.title, SOFTWARE.owner, date(2022, 4, 1), date(2026, 12, 31),
                      scope=SOFTWARE.scope, cpv=SOFTWARE.cpv, entitled=(), source="an example")  # fmt: skip
CHECK = "Check first: 1 framework covers this."
JOINTLY = "Use jointly: Back-office software (EX-0001) also covers what Bradford and Kirklees plan."


async def register(web: WebHarness, *lots: FrameworkLot) -> None:
    """The register as `jointly frameworks import` leaves it where the database has no plan yet: without vectors."""
    async with transaction(web.processes.sessions) as session:
        await frameworks.replace_frameworks(session, lots)


async def text_of(web: WebHarness, path: str) -> str:
    return unescape((await web.client.get(path)).text)


async def test_the_page_says_what_to_check_and_what_to_use_jointly(web: WebHarness) -> None:
    await web.processes.publish(*(plan(code) for code in (LEEDS, BRADFORD, KIRKLEES)))
    await register(web, SOFTWARE, BEFORE)
    path = await web.link(LEEDS)
    assert "Check first" not in await text_of(web, path), "nothing is embedded yet"
    await embed_frameworks(web.processes.matcher.context, web.processes.sessions)
    page = await text_of(web, path)
    assert CHECK in page, "the one that ends before the day of need is not counted"
    assert JOINTLY in page
    async with transaction(web.processes.sessions) as session:
        await frameworks.remove_framework(session, "EX-0001")
    assert "Check first" not in await text_of(web, path)


async def test_a_plan_that_is_not_shared_openly_is_not_said_to_be_covered(web: WebHarness) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD, sharing="match_only"))
    await register(web, SOFTWARE)
    await embed_frameworks(web.processes.matcher.context, web.processes.sessions)
    page = await text_of(web, await web.link(LEEDS, opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))))
    assert CHECK in page
    assert "Use jointly" not in page


async def test_a_revision_of_a_plan_is_checked_once(web: WebHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[str] = []
    real: Callable[..., Any] = framework_index.covering

    def counted(features: Any, *rest: Any) -> Any:
        checks.append(features.plan.plan_id)
        return real(features, *rest)

    monkeypatch.setattr(framework_index, "covering", counted)
    await web.processes.publish(plan(LEEDS), plan(BRADFORD))
    await register(web, SOFTWARE)
    await embed_frameworks(web.processes.matcher.context, web.processes.sessions)
    index = FrameworkIndex(web.processes.settings)

    async def usable() -> dict[str, Any]:
        async with web.processes.sessions() as session:
            return await index.usable(session, [plan_id(LEEDS), plan_id(BRADFORD), "E08000035:NONE"])

    assert await usable() == {plan_id(code): {"EX-0001": SOFTWARE.title} for code in (LEEDS, BRADFORD)}
    assert await usable() == await usable()
    assert sorted(checks) == [plan_id(BRADFORD), plan_id(LEEDS)]
    later = plan(LEEDS, 2, title="Renewal of the HR and payroll system, further competition")
    await web.processes.publish(later)
    assert (await usable())[plan_id(LEEDS)] == {}, "a call-off has no framework to check"
    assert len(checks) == 3
