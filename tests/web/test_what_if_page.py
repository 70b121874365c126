"""What other dates of a plan would gain and lose, on its page; near misses; nothing of what is not shared openly."""

import pytest

from services.application.explain import ExplainContextCache, ExplainError
from services.local_stack.mail_sink import MailSink
from tests.support.coalitions import AS_OF, BRADFORD, CALDERDALE, KIRKLEES, LEEDS, plan, plan_id
from tests.support.ids import opportunity_id
from tests.support.web import WebHarness

LATE = {"tender_window": {"earliest": "2028-04-01", "latest": "2028-08-31"}}
NEAR = {"tender_window": {"earliest": "2027-11-01", "latest": "2028-01-31"}}
OWN = f"/p/{plan_id(LEEDS)}/what-if"
PAIR = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))


@pytest.fixture
async def council(web: WebHarness, mailbox: MailSink) -> WebHarness:
    """Leeds is signed in. Bradford and Kirklees fit now, Calderdale a year later."""
    late = plan(CALDERDALE, title="Payroll ZEBRA", **LATE)
    await web.processes.publish(plan(LEEDS), plan(BRADFORD), plan(KIRKLEES), late)
    await web.sign_in(LEEDS, mailbox)
    return web


async def test_other_dates_are_tried_and_nothing_is_written(council: WebHarness) -> None:
    before = await council.state_hash()
    assert "What would you change?" in (await council.client.get(OWN)).text
    later = await council.client.get(f"{OWN}?change=later&months=10")
    assert "gain 1 council, lose 2 councils and keep no council" in later.text
    assert "Payroll ZEBRA" in later.text
    assert "Groups lost" in later.text
    window = "change=window&earliest-day=1&earliest-month=7&earliest-year=2027&latest-day=31&latest-month=8"
    both = await council.client.get(f"{OWN}?{window}&latest-year=2028")
    assert "gain 1 council, lose no council and keep 2 councils" in both.text
    assert await council.state_hash() == before


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("change=", "Choose what to try"),
        ("change=later", "Enter the number of months"),
        ("change=later&months=900", "a whole number from 0 to 120"),
        ("change=window&earliest-day=1", "as numbers"),
        ("change=extension&months=6", "names no contract that runs now"),
    ],
)
async def test_a_wrong_date_to_try_is_named_at_its_field(council: WebHarness, query: str, problem: str) -> None:
    assert problem in (await council.client.get(f"{OWN}?{query}")).text


async def test_a_plan_that_is_not_shared_openly_is_not_reckoned_with(council: WebHarness) -> None:
    await council.processes.publish(plan(CALDERDALE, revision=2, title="Payroll ZEBRA", sharing="match_only", **LATE))
    later = await council.client.get(f"{OWN}?change=later&months=10")
    assert "gain no council" in later.text
    assert "ZEBRA" not in later.text
    assert (await council.client.get(f"/p/{plan_id(CALDERDALE)}/what-if")).status_code == 404
    await council.processes.publish(plan(LEEDS, revision=2, sharing="match_only"))
    assert (await council.client.get(OWN)).status_code == 404


async def test_nobody_waits_long_for_those_before(council: WebHarness) -> None:
    contexts = ExplainContextCache(council.processes.settings, wait_seconds=0.01)
    async with contexts.open(council.processes.sessions, AS_OF):
        with pytest.raises(ExplainError, match="try again"):
            await contexts.open(council.processes.sessions, AS_OF).__aenter__()
    async with contexts.open(council.processes.sessions, AS_OF) as view:
        assert view.as_of == AS_OF


async def test_near_misses_are_on_the_pages_of_plan_pair_and_group(council: WebHarness) -> None:
    await council.processes.publish(plan(CALDERDALE, revision=2, **NEAR))
    coalition = (await council.processes.only()).coalition_id
    pair = opportunity_id(plan_id(LEEDS), plan_id(CALDERDALE))
    said = "If you waited, both could go to tender"
    for path in (f"/p/{plan_id(LEEDS)}", f"/o/{pair}", f"/c/{coalition}", f"/o/{coalition}"):
        page = await council.client.get(path)
        assert said in page.text, path
    assert said not in (await council.client.get(f"/o/{PAIR}")).text
