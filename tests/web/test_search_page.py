"""Who else: each filter of the search, saved searches, and results as a file."""

from urllib.parse import parse_qs, urlsplit

import pytest

from services.local_stack.mail_sink import MailSink
from services.store import plan_search, saved_searches
from services.store.plan_search import SearchQuery
from tests.support.coalitions import BRADFORD, CALDERDALE, KIRKLEES, LEEDS, plan
from tests.support.web import WebHarness

CAMDEN = "E09000007"
PAYWELL = {"supplier": "Paywell Ltd", "product": "PayPlus", "end": "2027-12-31"}
PLANS = (
    plan(BRADFORD, title="Payroll of Bradford", current_contract=PAYWELL),
    plan(KIRKLEES, title="=Payroll of Kirklees", stage="engagement", regions=["UK"]),
    plan(CAMDEN, title="Payroll of Camden", tender_window={"earliest": "2028-01-01", "latest": "2028-06-30"}),
    plan(CALDERDALE, title="Payroll ZEBRA", sharing="match_only", current_contract=PAYWELL),
)


@pytest.fixture
async def council(web: WebHarness, mailbox: MailSink) -> WebHarness:
    """Leeds is signed in; three others share openly, and a fourth only that there is a match."""
    await web.processes.publish(*PLANS)
    await web.sign_in(LEEDS, mailbox)
    return web


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("need=payroll", {"Bradford", "Kirklees", "Camden"}),
        ("supplier=paywell", {"Bradford"}),
        ("supplier=payplus", {"Bradford"}),
        ("region=TLE", {"Bradford", "Kirklees"}),
        ("region=TLI", {"Kirklees", "Camden"}),
        ("stage=engagement", {"Kirklees"}),
        ("earliest-day=1&earliest-month=1&earliest-year=2028", {"Camden"}),
        ("ends_from-day=1&ends_from-month=12&ends_from-year=2027", {"Bradford"}),
        ("ends_until-day=1&ends_until-month=12&ends_until-year=2027", set()),
        ("supplier=paywell&region=TLI", set()),
    ],
)
async def test_each_filter_finds_what_is_shared_openly(council: WebHarness, query: str, expected: set[str]) -> None:
    page = (await council.client.get(f"/search?{query}")).text
    assert {name for name in ("Bradford", "Kirklees", "Camden") if f"Payroll of {name}" in page} == expected
    assert "ZEBRA" not in page
    file = await council.client.get(f"/search.csv?{query}")
    assert "ZEBRA" not in file.text
    assert file.text.count("\n") == len(expected) + 1
    assert ("'=Payroll" in file.text) == ("Kirklees" in expected), "no formula in a cell"


async def test_the_database_finds_only_what_is_shared_openly(council: WebHarness) -> None:
    """Plans dropped behind the database would count towards its limit, and tell of themselves by what is missing."""
    async with council.processes.sessions() as session:
        found = await plan_search.search(session, LEEDS, SearchQuery(need="payroll"))
    assert {authority for authority, _ in found} == {BRADFORD, KIRKLEES, CAMDEN}


async def test_a_search_is_saved_run_again_and_deleted(council: WebHarness, mailbox: MailSink) -> None:
    query = "need=payroll&supplier=paywell&earliest-day=1&earliest-month=7&earliest-year=2027"
    saved = await council.send(f"/search?{query}", name="Payroll <b>of others</b>")
    assert saved.headers["location"] == "/search"
    page = (await council.client.get("/search")).text
    assert "Payroll &lt;b&gt;of others" in page
    link = page.split('<a class="govuk-link" href="/search?')[1].split('"')[0].replace("&amp;", "&")
    assert parse_qs(urlsplit(f"/search?{link}").query) == parse_qs(query)
    assert "Payroll of Bradford" in (await council.client.get(f"/search?{link}")).text
    (row,) = await council.processes.rows("SELECT search_id FROM saved_searches")
    council.client.cookies.clear()
    await council.sign_in(BRADFORD, mailbox)
    assert "of others" not in (await council.client.get("/search")).text
    before = await council.state_hash()
    assert (await council.client.post(f"/search/{row.search_id}/delete")).status_code == 404
    assert (await council.client.post(f"/search/{row.search_id}/news", data={"news": "off"})).status_code == 404
    assert await council.state_hash() == before
    council.client.cookies.clear()
    await council.sign_in(LEEDS, mailbox)
    for news, said in (("off", "Not in the weekly email"), ("on", "In the weekly email")):
        assert f'name="news" value="{news}"' in (await council.client.get("/search")).text
        await council.client.post(f"/search/{row.search_id}/news", data={"news": news})
        assert said in (await council.client.get("/search")).text
    other = {"Sec-Fetch-Site": "cross-site"}
    assert (await council.client.post(f"/search/{row.search_id}/delete", headers=other)).status_code == 403
    assert (await council.client.post(f"/search/{row.search_id}/delete")).status_code == 303
    assert await council.processes.rows("SELECT 1 FROM saved_searches") == []
    acts = await council.processes.rows(
        "SELECT convert_from(body, 'UTF8')::jsonb FROM audit_log WHERE action = 'emails-changed' ORDER BY seq"
    )
    choices = ["search-news-off", "search-news-on", "search-deleted"]
    assert [(act["subject"], act["details"]["choice"], act["actor"] is None) for (act,) in acts] == [
        (f"search:{row.search_id}", choice, False) for choice in choices
    ]


async def test_a_search_that_can_not_be_saved_says_why(council: WebHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Enter a name" in (await council.send("/search?need=payroll", name=" ")).text
    with monkeypatch.context() as few:
        few.setattr(saved_searches, "MAX_FITTING", 2)
        assert (await council.send("/search?need=payroll&region=TLE", name="Nearby")).status_code == 303
        refused = await council.send("/search?need=payroll", name="Everywhere")
        assert (refused.status_code, "fits more than 2 plans. Narrow it first" in refused.text) == (400, True)
    (row,) = await council.processes.rows("SELECT search_id FROM saved_searches")
    await council.client.post(f"/search/{row.search_id}/delete")
    for number in range(20):
        assert (await council.send("/search?need=payroll", name=str(number))).status_code == 303
    assert "20 saved searches" in (await council.send("/search?need=payroll", name="more")).text
    assert "Choose a region" in (await council.client.get("/search?region=XX")).text
    assert (await council.client.get("/search.csv?region=XX")).status_code == 400
