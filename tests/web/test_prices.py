"""Prices, suppliers and contracts on the pages: what the rules show, and a record of each look."""

from typing import Any

import pytest

from services.coalitions.benchmark_publishing import publish_ended_quarter
from services.coalitions.benchmark_requests import sweep_requests
from services.local_stack.mail_sink import MailSink
from tests.support.coalitions import AS_OF, BRADFORD, LEEDS, plan, plan_id
from tests.support.contracts import ContractsHarness, contract
from tests.support.web import WebHarness

BENCHMARK = f"/p/{plan_id(LEEDS)}/benchmark"
SUPPLIERS = ("Northmoor Software Ltd", "Fellgate Systems plc", "Ashdown Digital")
HOSTILE = "Northmoor <script>alert(1)</script> plc"
EXTENSION = {
    "kind": "extension",
    "extension": {"months": 13},
    "current_contract": {"end": "2027-03-31", "supplier": "Northmoor Software Ltd"},
}


@pytest.fixture
async def leeds(web: WebHarness, mailbox: MailSink) -> WebHarness:
    """Leeds extends beyond twelve months; five others share what they pay, and Leeds a contract that opens later."""
    await web.processes.publish(plan(LEEDS, **EXTENSION))
    contracts = ContractsHarness(web.processes.sessions, AS_OF)
    await contracts.handle(*(shared(number) for number in range(5)))
    await contracts.handle(contract("E08000077", supplier=HOSTILE, sharing={"coalition": "2026-07-01"}))
    await contracts.handle(contract("E08000078", prices=[], withheld="s94"))
    later = {"signatories": "2027-01-01", "public": "2028-01-01"}
    await contracts.handle(contract(LEEDS, sharing=later, title="Payroll of Leeds", prices=[], withheld="s94"))
    await publish_ended_quarter(web.processes.sessions, AS_OF)
    await sweep_requests(web.processes.sessions, AS_OF)
    await web.sign_in(LEEDS, mailbox)
    return web


def shared(number: int) -> Any:
    price = {
        "item": "licence",
        "unit": "user-year",
        "quantity": 2000,
        "unit_price": (12.0, 15.0, 17.4, 19.0, 30.0)[number],
    }
    return contract(f"E080000{number:02}", prices=[price], supplier=SUPPLIERS[number % 3])


async def looks(web: WebHarness) -> int:
    rows = await web.processes.rows(
        f"SELECT count(*) FROM audit_log WHERE action = 'benchmark-read' AND authority = '{LEEDS}' AND actor <> ''"
    )
    return int(rows[0][0])


async def test_an_extension_is_compared_and_decided(leeds: WebHarness) -> None:
    page = (await leeds.client.get(BENCHMARK)).text
    assert "13 months past its first end" in page
    assert "Decide by" in page
    assert "user-year" not in page
    assert await looks(leeds) == 0, "opening a page is no look"
    page = (await leeds.client.post(BENCHMARK)).text
    for said in ("£16.94 to £17.79", "From 8 authorities", "2026-Q3", "1 as sensitive commercial information"):
        assert said in page
    for hidden in ("17.4", "12.0", "30.0", *SUPPLIERS[1:]):
        assert f"£{hidden}" not in page
    assert await looks(leeds) == 1
    wrong = await leeds.send(BENCHMARK, decision="buy")
    assert (wrong.status_code, "Choose what you decide" in wrong.text) == (400, True)
    for _ in range(2):
        sent = await leeds.send(BENCHMARK, decision="tender-jointly")
        await leeds.deliver()
    page = (await leeds.client.get(sent.headers["location"])).text
    assert "Recorded." in page
    assert "Tender with others, 26 November 2026" in page


async def test_a_look_at_a_category_is_recorded(leeds: WebHarness) -> None:
    assert (await leeds.client.get("/benchmarks?cpv=48450000")).text.count("£") == 0
    for wrong in ("", "HR", "4845", f"{BRADFORD}:HR-1", "<script>"):
        page = await leeds.send("/benchmarks", cpv=wrong)
        assert (page.status_code, "5 to 8 digits" in page.text or "Enter a CPV code" in page.text) == (400, True), wrong
    assert await looks(leeds) == 0
    assert "£16.94 to £17.79" in (await leeds.send("/benchmarks", cpv="48450000")).text
    assert "No prices are shared for category 90630" in (await leeds.send("/benchmarks", cpv="90630000")).text
    assert await looks(leeds) == 2


async def test_suppliers_and_contracts_show_what_is_open(leeds: WebHarness) -> None:
    page = (await leeds.client.get("/suppliers?name=northmoor")).text
    assert "No contract" not in page
    # Leeds' own plan names the supplier; the contract of E08000077 is open to its coalition alone.
    assert "Leeds" in page
    assert "alert(1)" not in page
    await leeds.processes.publish(plan(LEEDS, revision=2, sharing="match_only", **EXTENSION))
    assert "Leeds" not in (await leeds.client.get("/suppliers?name=northmoor")).text.split("<main")[1]
    groups = (await leeds.client.get("/suppliers")).text
    assert "3 councils with Northmoor Software Ltd" in groups
    assert "No contract" in (await leeds.client.get("/suppliers?product=zebra")).text
    own = (await leeds.client.get("/contracts")).text
    for said in ("Payroll of Leeds", "Sensitive commercial information", "1 January 2027", "1 January 2028"):
        assert said in own
    assert "Fellgate" not in own
    (heading, row) = (await leeds.client.get("/contracts.csv")).text.splitlines()
    assert heading.startswith("\ufeffcontract_id,title")
    assert row.endswith(",s94,2027-01-01,2027-01-01,2028-01-01")
    csv = (await leeds.client.get("/suppliers.csv?name=northmoor")).text
    assert "E08000000" in csv
    assert LEEDS not in csv


async def test_prices_are_closed_to_everybody_else(leeds: WebHarness, mailbox: MailSink) -> None:
    before = await leeds.state_hash()
    posts = ("/benchmarks", BENCHMARK, f"{BENCHMARK}/decide")
    for path in posts:
        data = {"cpv": "48450000", "decision": "extend", "response_id": "0" * 36}
        assert (await leeds.client.post(path, data=data, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    leeds.client.cookies.clear()
    for path in ("/suppliers.csv", "/contracts.csv"):
        assert (await leeds.client.get(path)).status_code == 303
    for path in (BENCHMARK, "/benchmarks", "/suppliers", "/contracts"):
        assert (await leeds.client.get(path)).headers["location"].startswith("/sign-in?next="), path
    for path in posts:
        assert (await leeds.client.post(path)).headers["location"] == "/sign-in"
    assert await leeds.state_hash() == before
    await leeds.sign_in(BRADFORD, mailbox)
    before = await leeds.state_hash()
    assert (await leeds.client.get(BENCHMARK)).status_code == 404
    for path in posts[1:]:
        data = {"decision": "extend", "response_id": "0" * 36}
        assert (await leeds.client.post(path, data=data)).status_code == 404
    assert "Payroll of Leeds" not in (await leeds.client.get("/contracts")).text
    assert await leeds.state_hash() == before
