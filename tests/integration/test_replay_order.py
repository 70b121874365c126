"""A replay leaves the newest state as the last of its key on a compacted topic."""

from events.cloudevents import Message
from events.dead_letters import DeadLetter, DeadLetterReason, Header, Origin
from events.topics import COALITIONS, OPPORTUNITIES
from services.cli.dead_letter_revisions import outdated_among
from services.store.database import now, transaction
from services.store.opportunities import Opportunity
from services.store.outbox import Outbox
from tests.support.forgetting import ENDED, OURS, THEIRS
from tests.support.matcher import MatcherHarness


def letter_of(number: int, topic: str, message: Message) -> DeadLetter:
    return DeadLetter.model_construct(
        dead_letter_id=str(number),
        reason=DeadLetterReason.HANDLING_FAILED,
        origin=Origin(topic=topic, partition=0, offset=number),
        key=message.key,
        headers=tuple(Header.model_construct(name=name, value=value) for name, value in message.headers),
        value=message.value,
    )


async def test_only_the_newest_state_of_an_opportunity_can_be_replayed(harness: MatcherHarness) -> None:
    for event in (THEIRS, OURS, ENDED):
        await harness.handle([event])
    numbers = await harness.rows(f"SELECT id FROM outbox WHERE topic = '{OPPORTUNITIES.name}' ORDER BY id")
    async with harness.sessions() as session:
        rows = [await session.get_one(Outbox, number) for (number,) in numbers]
    letters = [letter_of(number, OPPORTUNITIES.name, row.message()) for number, row in enumerate(rows)]
    assert len(letters) == 2
    assert await outdated_among(harness.sessions, letters) == {"0"}
    unreadable = letter_of(7, COALITIONS.name, rows[0].message())
    assert await outdated_among(harness.sessions, [unreadable]) == {"7"}
    async with transaction(harness.sessions) as session:
        (await session.get_one(Opportunity, rows[0].key)).tombstoned_at = now()
    assert await outdated_among(harness.sessions, letters) == {"0", "1"}
