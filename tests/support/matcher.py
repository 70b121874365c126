"""A matcher whose encoder needs no weights, on a test's database and without Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from events.plans import PlanPayload
from matching.embedding import Embedder
from matching.encoders.loading import load_embedder
from matching.engine import Engine
from matching.policy import Policy
from services.matcher.app import adopt
from services.matcher.batch_handler import Matcher
from services.matcher.context import MatcherContext
from services.platform.settings import Settings
from services.store.database import Sessions
from tests.pipeline import AS_OF, engine, record_of


def hashing_context(
    settings: Settings | None = None, policy: Policy | None = None, embedder: Embedder | None = None
) -> MatcherContext:
    """What a matcher works with. Without settings, plans are judged as of AS_OF."""
    embedder = embedder or load_embedder("hashing")
    loaded = Engine.load(policy=policy, model=embedder.model) if policy else engine()
    return MatcherContext(loaded, embedder, settings or Settings(as_of=AS_OF))


def matcher_of(context: MatcherContext, sessions: Sessions) -> Matcher:
    """A matcher on a database that already has a generation. It can't send: it has to be handed good records."""
    return Matcher(context, sessions, producer=None)  # type: ignore[arg-type]


async def make_matcher(
    sessions: Sessions, settings: Settings | None = None, embedder: Embedder | None = None
) -> Matcher:
    """The database is of this matcher's generation from now on."""
    context = hashing_context(settings, embedder=embedder)
    await adopt(context, sessions)
    return matcher_of(context, sessions)


@dataclass
class MatcherHarness:
    """A matcher that takes events as records, and what it wrote."""

    matcher: Matcher
    sessions: Sessions
    offset: int = 0

    def records(self, payloads: Sequence[PlanPayload]) -> list[Any]:
        """The events as the consumer would hand them over, each with the next offset."""
        made = []
        for payload in payloads:
            self.offset += 1
            made.append(record_of(payload, self.offset))
        return made

    async def handle(self, payloads: Sequence[PlanPayload], at_once: int = 32) -> None:
        """Hand over events in batches of `at_once`."""
        for start in range(0, len(payloads), at_once):
            await self.matcher.handle(self.records(payloads[start : start + at_once]))

    async def rows(self, statement: str) -> list[Any]:
        """The rows of a query."""
        async with self.sessions() as session:
            return list(await session.execute(text(statement)))

    async def active(self) -> dict[tuple[str, str], tuple[float, str]]:
        """The active opportunities: score and band by pair."""
        rows = await self.rows("SELECT plan_a, plan_b, score, band FROM opportunities WHERE status = 'active'")
        return {(a, b): (score, band) for a, b, score, band in rows}


async def make_harness(sessions: Sessions, settings: Settings | None = None) -> MatcherHarness:
    """A harness whose matcher's generation the database is of."""
    return MatcherHarness(await make_matcher(sessions, settings), sessions)


def join_harness(sessions: Sessions, context: MatcherContext | None = None) -> MatcherHarness:
    """A further matcher on a database that already has a generation."""
    return MatcherHarness(matcher_of(context or hashing_context(), sessions), sessions)
