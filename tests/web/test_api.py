"""The read interface: what an authority reads, page by page, and what nobody else reads."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from events.plans import PlanUpdated
from events.responses import ResponseIntroduced
from services.application import api_tokens
from services.domain.api_access import Scope
from services.domain.audit import Channel
from services.local_stack.postgres import Server
from services.store.database import now, transaction
from services.web.api.access import Limits
from services.web.app import create_app
from services.web.parts import WebParts
from services.web.rate_limit import MINUTE, RateLimit
from tests.support.api import (
    API,
    LISTS,
    add_matcher,
    bearer,
    open_three_councils,
    read,
    read_items,
    three_councils,
    token_of,
)
from tests.support.coalitions import (
    BRADFORD,
    CALDERDALE,
    KIRKLEES,
    LEEDS,
    CoalitionsHarness,
    pair_fields,
    plan,
    plan_id,
)
from tests.support.databases import DatabasePool
from tests.support.ids import opportunity_id
from tests.support.web import BASE

PROBLEM = "application/problem+json"


@pytest.fixture
def databases(postgres_server: Server) -> DatabasePool:
    return three_councils(postgres_server)


@pytest.fixture
async def harness(databases: DatabasePool) -> AsyncIterator[CoalitionsHarness]:
    async with open_three_councils(databases) as made:
        yield made


@pytest.fixture
async def client(harness: CoalitionsHarness) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(WebParts(harness.sessions, harness.settings))
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as made:
        made.app_state = app.state  # type: ignore[attr-defined]
        yield made


@pytest.fixture
async def leeds(harness: CoalitionsHarness) -> str:
    return await token_of(harness.sessions, LEEDS)


async def test_an_authority_reads_its_lists(client: httpx2.AsyncClient, leeds: str) -> None:
    (own,) = await read_items(client, leeds, "plans")
    assert (own["plan_id"], own["value"], own["status"]) == (plan_id(LEEDS), 1_200_000.0, "active")
    pairs = await read_items(client, leeds, "opportunities")
    assert {pair["partner"]["authority"] for pair in pairs} == {BRADFORD, KIRKLEES}
    assert {pair["plan_id"] for pair in pairs} == {plan_id(LEEDS)}
    (group,) = await read_items(client, leeds, "coalitions")
    assert (group["status"], len(group["members"]), group["together_from"]) == ("suggested", 3, "2027-07-01")
    days = await read_items(client, leeds, "deadlines")
    assert [(day["kind"], day["day"], day["status"]) for day in days] == [
        ("decide-by", group["decide_by"], "tentative"),
        ("together-from", "2027-07-01", "tentative"),
    ]
    for name, item in (("plans", own), ("opportunities", pairs[0]), ("coalitions", group)):
        key = next(value for field, value in item.items() if field.endswith("_id"))
        assert await read(client, leeds, f"{name}/{key}") == item


async def test_pages_follow_each_other_and_hold_each_item_once(client: httpx2.AsyncClient, leeds: str) -> None:
    whole = await read_items(client, leeds, "opportunities")
    first = await read(client, leeds, "opportunities", limit=1)
    assert len(first["items"]) == 1
    assert first["links"]["next"].startswith(f"{BASE}{API}/opportunities?limit=1&cursor=")
    assert await read_items(client, leeds, "opportunities", limit=1) == whole


WRONG = [
    ("plans?limit=0", "limit: must be at least 1"),
    ("plans?limit=501", "limit: "),
    ("plans?status=secret", "status: "),
    ("plans?cursor=%00", "cursor: is not one of ours"),
    ("plans?cursor=AA", "cursor: is not one of ours"),
    ("plans?changed_since=2026-11-29T09:00:00", "changed_since: needs a time zone"),
    ("plans/E08000035:%00", "plan_id: "),
    ("opportunities/..%2f..%2fplans", "Not Found"),
    ("coalitions/' OR 1=1 --", "coalition_id: "),
]
"""A question, and what its problem says."""


async def test_a_wrong_question_is_a_problem_that_says_what_to_do(client: httpx2.AsyncClient, leeds: str) -> None:
    for path, said in WRONG:
        answer = await client.get(f"{API}/{path}", headers=bearer(leeds))
        assert answer.status_code == (404 if said == "Not Found" else 400), path
        assert answer.headers["content-type"] == PROBLEM
        assert said in str(answer.json())


async def test_what_changed_since_can_be_asked(client: httpx2.AsyncClient, leeds: str) -> None:
    hour = timedelta(hours=1)
    for since, count in ((now() - hour, 2), (now() + hour, 0)):
        assert len(await read_items(client, leeds, "opportunities", changed_since=since.isoformat())) == count


async def test_without_a_token_that_counts_there_is_nothing(client: httpx2.AsyncClient) -> None:
    strangers: list[dict[str, str]] = [{}, {"Authorization": "Basic eDp5"}, bearer("jly_guess"), bearer("x" * 5000)]
    for headers, name in product(strangers, LISTS):
        answer = await client.get(f"{API}/{name}", headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, PROBLEM)
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_reads_until_it_is_revoked(client: httpx2.AsyncClient, harness: CoalitionsHarness) -> None:
    token = await token_of(harness.sessions, LEEDS, [Scope.PLANS])
    assert (await client.get(f"{API}/plans", headers=bearer(token))).status_code == 200
    for path in ("opportunities", "coalitions.csv", "deadlines.ics"):
        assert (await client.get(f"{API}/{path}", headers=bearer(token))).status_code == 403
    (row,) = await harness.rows("SELECT * FROM api_tokens")
    assert token not in str(row)
    assert token.startswith(row.prefix)
    assert row.last_used_at is not None
    async with transaction(harness.sessions) as session:
        await api_tokens.revoke(session, row.token_id, authority=LEEDS, channel=Channel.BROWSER)
    assert (await client.get(f"{API}/plans", headers=bearer(token))).status_code == 401
    acts = await harness.rows("SELECT action FROM audit_log WHERE subject LIKE 'api-token:%' ORDER BY seq")
    assert [row.action for row in acts] == ["api-access-granted", "api-access-revoked"]


async def test_nobody_revokes_the_token_of_another(harness: CoalitionsHarness, leeds: str) -> None:
    (row,) = await harness.rows("SELECT token_id FROM api_tokens")
    async with transaction(harness.sessions) as session:
        with pytest.raises(api_tokens.ApiTokenError, match="there is no token"):
            await api_tokens.revoke(session, row.token_id, authority=BRADFORD, channel=Channel.BROWSER)


async def test_who_has_the_newest_answer_is_told_so(client: httpx2.AsyncClient, leeds: str) -> None:
    first = await client.get(f"{API}/plans", headers=bearer(leeds))
    assert first.headers["cache-control"] == "private, no-cache"
    again = await client.get(f"{API}/plans", headers={**bearer(leeds), "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = await client.get(f"{API}/plans", headers={**bearer(leeds), "If-None-Match": '"another"'})
    assert other.status_code == 200


async def test_who_asks_too_often_is_told_when_to_come_back(client: httpx2.AsyncClient, leeds: str) -> None:
    state: Any = client.app_state  # type: ignore[attr-defined]
    state.api_limits = Limits(reads=RateLimit(2, MINUTE), refusals=RateLimit(1, MINUTE))
    answers = [await client.get(f"{API}/plans", headers=bearer(leeds)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    guesses = [await client.get(f"{API}/plans", headers=bearer(f"jly_{n}")) for n in range(2)]
    assert [answer.status_code for answer in guesses] == [401, 429]
    # The wait of one is not that of another.
    assert (await client.get(f"/calendar/{leeds}.ics")).status_code == 429


async def test_ids_of_others_are_as_if_they_did_not_exist(
    client: httpx2.AsyncClient, harness: CoalitionsHarness, leeds: str
) -> None:
    """Every id there is, in every route: Calderdale, which is in nothing, gets the answer of an id that nobody has."""
    stranger = await token_of(harness.sessions, CALDERDALE)
    ids = {
        "plans": [row.plan_id for row in await harness.rows("SELECT plan_id FROM plans")],
        "opportunities": [row[0] for row in await harness.rows("SELECT opportunity_id FROM opportunities")],
        "coalitions": [row[0] for row in await harness.rows("SELECT coalition_id FROM coalitions")],
    }
    assert {name: len(found) for name, found in ids.items()} == {"plans": 3, "opportunities": 3, "coalitions": 1}
    nobodys = {"plans": "E08000035:NONE", "opportunities": "0" * 32, "coalitions": "0" * 32}
    for name, found in ids.items():
        assert await read_items(client, stranger, name, status="all") == []
        unknown = await client.get(f"{API}/{name}/{nobodys[name]}", headers=bearer(stranger))
        assert unknown.status_code == 404
        for one in found:
            for tail in ("", "/deadlines.ics") if name == "coalitions" else ("",):
                answer = await client.get(f"{API}/{name}/{one}{tail}", headers=bearer(stranger))
                assert (answer.status_code, answer.json()) == (404, unknown.json())
    others = [one for one in ids["plans"] if one != plan_id(LEEDS)]
    for one in others:
        assert (await client.get(f"{API}/plans/{one}", headers=bearer(leeds))).status_code == 404
    pair = next(
        row.opportunity_id
        for row in await harness.rows("SELECT * FROM opportunities")
        if LEEDS not in (row.authority_a, row.authority_b)
    )
    assert (await client.get(f"{API}/opportunities/{pair}", headers=bearer(leeds))).status_code == 404


async def test_an_introduced_match_only_partner_is_named(
    client: httpx2.AsyncClient, harness: CoalitionsHarness, leeds: str
) -> None:
    await add_matcher(harness)
    await harness.publish(PlanUpdated.model_validate(plan(BRADFORD, 2, sharing="match_only").model_dump()))

    async def bradford() -> Any:
        pairs = await read_items(client, leeds, "opportunities")
        return next(pair["partner"] for pair in pairs if pair["partner"]["authority"] == BRADFORD)

    assert ((await bradford())["plan_id"], (await bradford())["title"]) == (None, None)
    pair = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))
    (row,) = await harness.rows(f"SELECT revision FROM opportunities WHERE opportunity_id = '{pair}'")
    for number, (one, other) in enumerate(((LEEDS, BRADFORD), (BRADFORD, LEEDS)), 50):
        fields = pair_fields(one, other, number) | {"subject_revision": row.revision, "agrees": "yes"}
        assert (await bradford())["title"] is None, "one yes opens nothing"
        await harness.respond(ResponseIntroduced.model_validate(fields))
    assert (await bradford())["plan_id"] == plan_id(BRADFORD)
    assert (await bradford())["title"] == "Replacement of the HR and payroll system"


async def test_a_cursor_of_another_opens_nothing(
    client: httpx2.AsyncClient, harness: CoalitionsHarness, leeds: str
) -> None:
    stranger = await token_of(harness.sessions, CALDERDALE)
    first = await read(client, leeds, "opportunities", limit=1)
    answer = await client.get(first["links"]["next"], headers=bearer(stranger))
    assert answer.json()["items"] == []


async def test_links_lead_to_us_whatever_the_host_says(client: httpx2.AsyncClient, leeds: str) -> None:
    headers = {**bearer(leeds), "Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = await client.get(f"{API}/opportunities?limit=1", headers=headers)
    assert "evil" not in answer.text
    assert answer.json()["links"]["self"] == f"{BASE}{API}/opportunities?limit=1"


async def test_nothing_can_be_written(client: httpx2.AsyncClient, leeds: str) -> None:
    paths = (*LISTS, f"plans/{plan_id(LEEDS)}")
    for method, path in product(("POST", "PUT", "PATCH", "DELETE"), paths):
        answer = await client.request(method, f"{API}/{path}", headers=bearer(leeds))
        assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)


async def test_every_list_is_a_csv_that_no_spreadsheet_runs(
    client: httpx2.AsyncClient, harness: CoalitionsHarness, leeds: str
) -> None:
    formula = '=HYPERLINK("https://evil.example","pay, roll")'
    changed = {"title": formula, "sharing": "open", "current_contract": {"supplier": "+41 Ltd", "end": "2027-12-31"}}
    await add_matcher(harness)
    await harness.publish(PlanUpdated.model_validate(plan(LEEDS, 2, **changed).model_dump()))
    for name in LISTS:
        answer = await client.get(f"{API}/{name}.csv", headers=bearer(leeds))
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert f'filename="{name}.csv"' in answer.headers["content-disposition"]
        assert answer.content.startswith(b"\xef\xbb\xbf")
        heading, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
        assert all(len(row) == len(heading) for row in rows)
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    plans = list(csv.DictReader(io.StringIO((await client.get(f"{API}/plans.csv", headers=bearer(leeds))).text[1:])))
    assert [(row["title"], row["supplier"], row["contract_ends"], row["value"]) for row in plans] == [
        (f"'{formula}", "'+41 Ltd", "2027-12-31", "1200000")
    ]


def test_a_client_never_exceeds_its_own_limit_in_any_window() -> None:
    time = SimpleNamespace(now=0.0)
    limit = RateLimit(6, MINUTE, clock=lambda: time.now)
    assert [limit.seconds_to_wait("a") for _ in range(7)] == [0] * 6 + [60]
    assert limit.seconds_to_wait("b") == 0
    time.now = 59.5
    assert limit.seconds_to_wait("a") == 1
    time.now = 1000.0
    assert [limit.seconds_to_wait("a") for _ in range(7)] == [0] * 6 + [60]
    answered = []
    for step in range(400):
        time.now = 2000.0 + step
        answered += [time.now] if limit.seconds_to_wait("a") == 0 else []
    assert max(sum(start <= at < start + MINUTE for at in answered) for start in answered) == 6
    assert len(answered) == 42, "six in each of seven windows"


async def test_reading_leaves_everything_as_it_was(
    client: httpx2.AsyncClient, harness: CoalitionsHarness, leeds: str
) -> None:
    parts = ("count(*) FROM outbox", "count(*) FROM audit_log", "max(updated_at) FROM opportunities")
    counts = f"SELECT {', '.join(f'(SELECT {part})' for part in parts)}"
    before = await harness.rows(counts)
    for name in LISTS:
        await client.get(f"{API}/{name}", headers=bearer(leeds))
        await client.get(f"{API}/{name}.csv", headers=bearer(leeds))
    assert await harness.rows(counts) == before
