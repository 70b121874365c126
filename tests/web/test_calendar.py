"""Calendars: stable events that move and end, alarms, and an address that only its owner has."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest
from icalendar import Calendar, Event
from typer.testing import CliRunner

from events.plans import PlanUpdated
from services.cli import application
from services.domain.api_access import Scope
from services.local_stack.postgres import Server
from services.platform.clock import today
from services.platform.settings import settings
from services.store import api_tokens
from tests.support.api import API, add_matcher, bearer, open_three_councils, three_councils, token_of
from tests.support.coalitions import BRADFORD, CALDERDALE, LEEDS, CoalitionsHarness, plan, withdrawal
from tests.support.databases import DatabasePool
from tests.support.web import web_client

KINDS = ("reply-by", "decide-by", "together-from", "contract-end")


@pytest.fixture
def databases(postgres_server: Server) -> DatabasePool:
    return three_councils(postgres_server)


@pytest.fixture
async def harness(databases: DatabasePool) -> AsyncIterator[CoalitionsHarness]:
    async with open_three_councils(databases) as made:
        yield made


@pytest.fixture
async def client(harness: CoalitionsHarness) -> AsyncIterator[httpx2.AsyncClient]:
    async with web_client(harness.sessions, harness.settings, {}) as made:
        yield made


@pytest.fixture
async def address(harness: CoalitionsHarness) -> str:
    """Bradford's."""
    return f"/calendar/{await token_of(harness.sessions, BRADFORD, [Scope.CALENDAR])}.ics"


async def events(client: httpx2.AsyncClient, address: str) -> dict[str, Event]:
    """The events of a feed by kind."""
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    found = {str(event["UID"]): event for event in Calendar.from_ical(answer.text).walk("VEVENT")}
    return {next(kind for kind in KINDS if uid.startswith(kind)): event for uid, event in found.items()}


def said(event: Event) -> tuple[Any, ...]:
    return event["STATUS"], event.decoded("DTSTART"), event["SEQUENCE"]


async def test_days_of_a_suggestion_are_tentative(client: httpx2.AsyncClient, address: str) -> None:
    found = await events(client, address)
    assert {kind: said(event)[:2] for kind, event in found.items()} == {
        "decide-by": ("TENTATIVE", date(2027, 2, 16)),
        "together-from": ("TENTATIVE", date(2027, 7, 1)),
    }
    event = found["decide-by"]
    assert event.decoded("DTEND") - event.decoded("DTSTART") == timedelta(days=1)
    alarms = [alarm.decoded("TRIGGER") for alarm in event.walk("VALARM")]
    assert alarms == [timedelta(days=-14), timedelta(days=-3)]
    assert "Replacement of the HR and payroll system" in event["SUMMARY"]
    assert "Leeds" in event["DESCRIPTION"]


async def test_an_event_keeps_its_uid_and_ends_as_cancelled(
    client: httpx2.AsyncClient, harness: CoalitionsHarness, address: str
) -> None:
    first = await events(client, address)
    await harness.invite(LEEDS)
    invited = await events(client, address)
    assert invited["decide-by"]["UID"] == first["decide-by"]["UID"]
    assert invited["decide-by"]["SEQUENCE"] > first["decide-by"]["SEQUENCE"]
    assert said(invited["reply-by"])[:2] == ("CONFIRMED", date(2027, 1, 8))
    await harness.act(BRADFORD, "accept")
    accepted = await events(client, address)
    assert accepted["reply-by"]["STATUS"] == "CANCELLED", "Bradford has replied"
    assert accepted["decide-by"]["STATUS"] == "CONFIRMED"
    await harness.act(BRADFORD, "leave")
    left = await events(client, address)
    assert {event["STATUS"] for event in left.values()} == {"CANCELLED"}
    assert not [alarm for event in left.values() for alarm in event.walk("VALARM")]
    assert {kind: event["UID"] for kind, event in left.items()} == {
        kind: event["UID"] for kind, event in invited.items()
    }
    assert left["decide-by"]["SEQUENCE"] > accepted["decide-by"]["SEQUENCE"]


async def test_the_end_of_a_contract_moves_with_its_plan(
    client: httpx2.AsyncClient, harness: CoalitionsHarness, address: str
) -> None:
    await add_matcher(harness)
    for revision, end in ((2, "2027-12-31"), (3, "2028-03-31")):
        changed = plan(BRADFORD, revision, current_contract={"end": end})
        await harness.publish(PlanUpdated.model_validate(changed.model_dump()))
        found = (await events(client, address))["contract-end"]
        assert said(found)[:2] == ("CONFIRMED", date.fromisoformat(end))
    await harness.publish(withdrawal(BRADFORD, 4))
    ended = (await events(client, address))["contract-end"]
    assert (ended["STATUS"], ended["UID"]) == ("CANCELLED", found["UID"])
    assert found["SEQUENCE"] <= ended["SEQUENCE"] < 2**31


async def test_a_title_can_not_add_an_event(
    client: httpx2.AsyncClient, harness: CoalitionsHarness, address: str
) -> None:
    title = "HR, payroll; \\n\nEND:VEVENT\nBEGIN:VEVENT\nUID:evil\nSUMMARY:pay here https://evil.example"
    await add_matcher(harness)
    await harness.publish(PlanUpdated.model_validate(plan(BRADFORD, 2, title=title).model_dump()))
    found = await events(client, address)
    answer = await client.get(address)
    assert "\r\nUID:evil" not in answer.text
    assert all(title in event["SUMMARY"] for event in found.values())


async def test_only_the_address_opens_a_calendar_until_it_is_revoked(
    client: httpx2.AsyncClient, harness: CoalitionsHarness, address: str
) -> None:
    token = await token_of(harness.sessions, BRADFORD)
    for wrong in ("/calendar/x.ics", f"/calendar/{token}.ics", address.replace("/jly_", "/jlx_")):
        assert (await client.get(wrong)).status_code == 404
    secret = address.removeprefix("/calendar/").removesuffix(".ics")
    assert (await client.get(f"{API}/plans", headers=bearer(secret))).status_code == 403
    first = await client.get(address)
    assert (await client.get(address, headers={"If-None-Match": first.headers["etag"]})).status_code == 304
    async with harness.sessions() as session:
        row = await api_tokens.find(session, secret, today(None))
        assert row is not None
        await api_tokens.revoke(session, row.token_id)
        await session.commit()
    gone = await client.get(address)
    assert (gone.status_code, gone.headers["content-type"]) == (404, "application/problem+json")


async def test_a_file_of_one_coalition_is_for_its_members(
    client: httpx2.AsyncClient, harness: CoalitionsHarness
) -> None:
    state = await harness.only()
    path = f"{API}/coalitions/{state.coalition_id}/deadlines.ics"
    own = await client.get(path, headers=bearer(await token_of(harness.sessions, LEEDS)))
    assert len(Calendar.from_ical(own.text).walk("VEVENT")) == 2
    other = await client.get(path, headers=bearer(await token_of(harness.sessions, CALDERDALE)))
    assert other.status_code == 404


@pytest.fixture
def jointly(harness: CoalitionsHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    address = harness.sessions.kw["bind"].url.render_as_string(hide_password=False)
    monkeypatch.setenv("JOINTLY_DATABASE_URL", address.replace("postgresql+psycopg", "postgresql"))
    monkeypatch.setenv("JOINTLY_PUBLIC_URL", "https://jointly.example/")
    settings.cache_clear()

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, application(arguments[0]), list(arguments))

    yield run
    settings.cache_clear()


async def test_the_commands_issue_list_and_revoke(
    client: httpx2.AsyncClient, harness: CoalitionsHarness, jointly: Any
) -> None:
    issued = await jointly("api-token", "issue", LEEDS.lower(), "--label", "contracts system")
    token = issued.stdout.strip()
    assert issued.exit_code == 0
    assert (await client.get(f"{API}/plans", headers=bearer(token))).status_code == 200
    calendar = await jointly("api-token", "issue", LEEDS, "--scope", "calendar")
    assert calendar.stdout.startswith("https://jointly.example/calendar/jly_")
    assert (await client.get(calendar.stdout.strip())).status_code == 200
    listed = await jointly("api-token", "list")
    assert "contracts system" in listed.stdout
    assert token not in listed.stdout
    token_id = next(line for line in listed.stdout.splitlines() if "contracts system" in line).split()[0]
    assert (await jointly("api-token", "revoke", token_id)).exit_code == 0
    assert (await client.get(f"{API}/plans", headers=bearer(token))).status_code == 401
    assert (await jointly("api-token", "revoke", "none")).exit_code == 1
    assert (await jointly("api-token", "issue", "E06000001")).exit_code == 1
    state = await harness.only()
    exported = await jointly("coalition", "export", state.coalition_id, "--ics", "--authority", LEEDS)
    assert len(Calendar.from_ical(exported.stdout).walk("VEVENT")) == 2
    refused = await jointly("coalition", "export", state.coalition_id, "--ics", "--authority", CALDERDALE)
    assert refused.exit_code == 1
