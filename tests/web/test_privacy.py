"""What a plan that is shared as match_only or private says is in no answer to any other authority, and on no page.

Plans with planted words are shared openly at first, match each other and make coalitions. Then they are hidden, and
every answer that every other authority can get is searched, and every page that it can open: while the coalitions are
still those of before, and after.
"""

import random
import re
from collections.abc import Sequence
from typing import Any, Final

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from events.plans import PlanPublished, PlanUpdated
from services.domain.api_access import Scope
from services.web.api.access import Limits
from services.web.rate_limit import MINUTE, RateLimit
from services.web.signing import SESSION_COOKIE
from tests.support.api import make_harness, read_everything, register, token_of
from tests.support.coalitions import AS_OF, CoalitionsHarness
from tests.support.crawl import crawl
from tests.support.parties import OFFICE, register_party, since
from tests.support.web import HOST, open_session, web_client

COUNCILS: Final = tuple(f"E0800{number:04}" for number in range(16, 38) if number != 20)
DICE: Final = random.Random(27)
NEEDS: Final = (
    ("Replacement of the HR and payroll system", "48450000", "Human resources and payroll software with self service."),
    ("Housing management system", "48480000", "Software for tenancies, rents and repairs of council housing."),
)


def planted(authority: str, number: int) -> dict[str, str]:
    """What a plan says that nobody else says."""
    return {
        "word": f"Quorzel{authority[-4:]}{number}x",
        "reference": f"REF{authority[-4:]}{number}",
        "value": f"{_thousands(authority, number)}007",
        "value on pages": f"£{_thousands(authority, number)},000",
        "cpv": f"98{int(authority[-4:]):04}{number}9",
        "supplier": f"Vendrix{authority[-4:]}{number}q",
    }


def _thousands(authority: str, number: int) -> int:
    """No two plans share it, nor does a sum of plans."""
    return 300 + 2 * (int(authority[-4:]) - 16) + number


def made(authority: str, number: int, revision: int = 1, sharing: str = "open") -> PlanPublished | PlanUpdated:
    title, cpv, description = NEEDS[number]
    said = planted(authority, number)
    kind = PlanPublished if revision == 1 else PlanUpdated
    return kind.model_validate(
        {
            "plan_id": f"{authority}:{said['reference']}",
            "revision": revision,
            "authority": authority,
            "title": f"{title} {said['word']}",
            "description": description,
            "kind": "renewal",
            "cpv": [cpv, said["cpv"]],
            "value": {"amount": int(said["value"])},
            "tender_window": {"earliest": "2027-07-01", "latest": "2027-09-30"},
            "current_contract": {"supplier": said["supplier"], "end": "2027-12-31"},
            "sharing": sharing,
        }
    )


@pytest.fixture
async def harness(database: AsyncEngine) -> CoalitionsHarness:
    found = await make_harness(database)
    await register(found.sessions, COUNCILS)
    return found


async def everything(harness: CoalitionsHarness, client: httpx2.AsyncClient, tokens: Any) -> dict[str, str]:
    return {code: await read_everything(client, *both) for code, both in tokens.items()}


async def every_page(harness: CoalitionsHarness, authority: str, words: Sequence[str], max_alike: int) -> str:
    """The text of every page that an authority can open, each below its path, and of searches for these words."""
    async with web_client(harness.sessions, harness.settings) as browser:
        browser.cookies.set(SESSION_COOKIE, await open_session(harness.sessions, authority), HOST, "/")
        searches = [
            f"/{page}={word}" for page in ("search?need", "search?supplier", "suppliers?name") for word in words
        ]
        found = ("/search?need=system", "/suppliers", "/suppliers?name=vendrix", "/suppliers.csv", "/contracts.csv")
        starts = ["/home", "/benchmarks", "/documents", *found, *searches]
        texts = await crawl(browser, starts, max_alike)
        for path in searches:
            # The form shows the searched word again: only what was found may not.
            texts[path] = re.sub(r'<input[^>]* value="[^"]*"', "", texts[path])
        return "\n".join(f"{path.partition('?')[0]}\n{page}" for path, page in texts.items())


async def every_office_page(harness: CoalitionsHarness, max_alike: int) -> str:
    """The same for an office that every council is a member of."""
    async with web_client(harness.sessions, harness.settings) as browser:
        browser.cookies.set(SESSION_COOKIE, await open_session(harness.sessions, OFFICE), HOST, "/")
        texts = await crawl(
            browser, ["/programme", "/signatories", "/convene", "/programme.csv", "/settings"], max_alike
        )
        return "\n".join(texts.values())


def hits(answers: dict[str, str], authority: str, number: int) -> list[tuple[str, str]]:
    """Where another authority reads something planted."""
    said = planted(authority, number).values()
    return [
        (reader, word) for reader, answer in answers.items() if reader != authority for word in said if word in answer
    ]


@pytest.mark.parametrize(
    ("count", "min_pairs", "browsing", "max_alike", "searched"),
    [(6, 15, 1, 2, 1), pytest.param(21, 200, 21, 100, 3, marks=pytest.mark.slow)],
)
async def test_hidden_plans_are_in_no_answer_to_another_authority(
    harness: CoalitionsHarness, count: int, min_pairs: int, browsing: int, max_alike: int, searched: int
) -> None:
    councils = COUNCILS[:count]
    plans = [(authority, number) for authority in councils for number in range(len(NEEDS))]
    await harness.publish(*(made(authority, number) for authority, number in plans))
    await register_party(harness.sessions, since(AS_OF, *councils), mailbox="office@gb-x-office.example")
    tokens = {
        code: (await token_of(harness.sessions, code), await token_of(harness.sessions, code, [Scope.CALENDAR]))
        for code in councils
    }
    hidden = dict.fromkeys(DICE.sample(plans, len(plans) // 2), "match_only")
    hidden |= dict.fromkeys(list(hidden)[::3], "private")
    words = [planted(*one)[part] for one in list(hidden)[:searched] for part in ("word", "supplier")]
    ids = {f"{authority}:{planted(authority, number)['reference']}" for authority, number in hidden}
    pairs = [
        row for row in await harness.rows("SELECT plan_a, plan_b FROM opportunities") if {row.plan_a, row.plan_b} & ids
    ]
    assert len(pairs) >= min_pairs

    async def found(browsers: Sequence[str]) -> dict[str, str]:
        answers = await everything(harness, client, tokens)
        for code in browsers:
            pages = await every_page(harness, code, words, max_alike)
            assert any(hits({code: pages}, *one) for one in plans if one not in hidden), "open plans are seen on pages"
            answers[code] += pages
        answers[OFFICE] = await every_office_page(harness, max_alike)
        return answers

    async with web_client(harness.sessions, harness.settings, {}) as client:
        client._transport.app.state.api_limits = Limits(RateLimit(10**6, MINUTE), RateLimit(10**6, MINUTE))  # type: ignore[attr-defined]
        answers = await everything(harness, client, {code: tokens[code] for code in councils[:3]})
        assert sum(bool(hits(answers, *one)) for one in plans) > len(plans) // 2, "open plans are seen by partners"

        await harness.matcher.handle([harness.record(made(*one, 2, sharing)) for one, sharing in hidden.items()])
        answers = await found(councils[:browsing])
        assert [hit for one in hidden for hit in hits(answers, *one)] == []

        await harness.regroup()
        await harness.sweep()
        answers = await found(councils[:browsing])
        assert [hit for one in hidden for hit in hits(answers, *one)] == []
        still = [one for one in plans if one not in hidden]
        assert any(hits(answers, *one) for one in still), "what is still open is still seen"
        assert any(hits({OFFICE: answers[OFFICE]}, *one) for one in still), "by the office, too"
