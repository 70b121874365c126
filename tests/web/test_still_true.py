"""The page on which a council confirms old plans: opening it sends nothing, and only what is chosen is sent again."""

from html import unescape

from services.domain.links import LinkMaker
from services.local_stack.mail_sink import MailSink
from services.platform.clock import today
from services.store.authorities import by_codes
from tests.support.coalitions import BRADFORD, LEEDS, plan, plan_id
from tests.support.web import BASE, SECRET, WebHarness


async def link(web: WebHarness, authority: str) -> str:
    async with web.processes.sessions() as session:
        ref = (await by_codes(session, [authority]))[authority].mailbox_ref
    return LinkMaker(BASE, (SECRET,)).confirm(authority, ref, today(None)).removeprefix(BASE)


async def revision(web: WebHarness) -> int:
    (row,) = await web.processes.rows(f"SELECT revision FROM plans WHERE plan_id = '{plan_id(LEEDS)}'")
    return int(row.revision)


async def test_a_council_confirms_a_plan_with_a_chosen_radio(web: WebHarness, mailbox: MailSink) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD))
    async with web.processes.sessions() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("UPDATE plan_log SET received_at = '2026-01-05'")
        await session.commit()
    path = await link(web, LEEDS)
    page = unescape((await web.client.get(path)).text)
    assert "Replacement of the HR and payroll system" in page
    assert " checked" not in page, "a default would let a scanner confirm"
    field = f"plan-{plan_id(LEEDS)}"
    assert (await web.client.post(path, data={})).status_code == 400
    later = await web.client.post(path, data={field: "later", f"plan-{plan_id(BRADFORD)}": "yes"})
    assert (later.status_code, later.headers["location"]) == (303, f"{path}?confirmed=0")
    assert await web.deliver() == 0, "nobody confirms the plan of another council"
    sent = await web.client.post(path, data={field: "yes"})
    assert sent.headers["location"] == f"{path}?confirmed=1"
    assert await web.deliver() == 1
    assert await revision(web) == 2
    again = await web.client.post(path, data={field: "yes"})
    assert again.status_code == 303
    assert await web.deliver() == 0, "a second click finds nothing to confirm"
    assert "Every plan of your council is confirmed" in (await web.client.get(path)).text
    (receipt,) = mailbox.mails()
    assert plan_id(LEEDS) in receipt.get_content()


async def test_another_links_key_does_not_open_it(web: WebHarness) -> None:
    await web.processes.publish(plan(LEEDS), plan(BRADFORD))
    answer = await web.link(LEEDS, "f" * 32)
    assert (await web.client.get(answer.replace("/g/", "/still/"))).status_code != 200
