"""`jointly dead-letters`: lists and shows events that could not be handled, and replays them."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, cast

import typer
from aiokafka import AIOKafkaConsumer

from events.cloudevents import EnvelopeError, decode
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetter, DeadLetterReason
from events.topics import (
    COALITIONS,
    DEAD_COALITIONS,
    DEAD_CONTRACTS,
    DEAD_OPPORTUNITIES,
    DEAD_PLANS,
    DEAD_RESPONSES,
    OPPORTUNITIES,
    NotAnAuthorityTopicError,
    Topic,
    authority_of,
    family_of,
)
from services.cli.dead_letter_origins import UNPROVEN, find_unproven
from services.cli.dead_letter_revisions import OUTDATED, find_outdated
from services.cli.errors import fail
from services.cli.terminal import plain, rendered
from services.messaging.kafka import Record, connection, make_producer
from services.platform.settings import Settings, settings

IDLE_SECONDS: Final = 1.5
"""Stop after this long without a record: a broker may name an end that it never delivers."""
FIRST_ANSWER_SECONDS: Final = 15.0
NOT_FOUND: Final = 1
USAGE: Final = 2
FAMILIES: Final = {
    "plans": DEAD_PLANS,
    "opportunities": DEAD_OPPORTUNITIES,
    "responses": DEAD_RESPONSES,
    "coalitions": DEAD_COALITIONS,
    "contracts": DEAD_CONTRACTS,
}
NOT_COUNTED: Final = frozenset(
    {DeadLetterReason.STALE_RESPONSE, DeadLetterReason.UNKNOWN_SUBJECT, DeadLetterReason.RESPONSE_REFUSED}
)

app = typer.Typer(no_args_is_help=True, help="List, show and replay events that could not be handled.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one dead letter a line.")]
_Reason = Annotated[DeadLetterReason | None, typer.Option(help="Only this reason.")]
_Family = Annotated[str | None, typer.Option(help=f"Only this family: {' or '.join(FAMILIES)}.")]
_Id = Annotated[str, typer.Argument(help="The dead letter's id, or the start of it.")]


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A dead letter and its topic."""

    topic: Topic
    letter: DeadLetter

    @property
    def family(self) -> str:
        """The family of refused events: plans or opportunities."""
        return self.topic.name.split(".")[1]


@app.command("list")
def list_(reason: _Reason = None, family: _Family = None, as_json: _Json = False) -> None:
    """List the dead letters, oldest first: id, time, reason, origin, and the error."""
    found = _find_all(reason, family)
    for kept in found:
        letter = kept.letter
        if as_json:
            # The bytes may be large and hold anything; `show` prints them.
            line = letter.model_dump_json(exclude={"key", "headers", "value"})
            typer.echo(f'{{"family":"{kept.family}",{line[1:]}')
            continue
        typer.echo(f"{letter.dead_letter_id}  {letter.at:%Y-%m-%d %H:%M:%S}  {letter.reason.value}  {_origin(letter)}")
        typer.echo(f"    {plain(letter.detail, 300)}")
    if not as_json:
        typer.echo(f"{len(found)} dead letters" if found else "no dead letters")


@app.command("show")
def show(dead_letter_id: _Id, as_json: _Json = False) -> None:
    """Show one dead letter in full. Its bytes are escaped so that they can't control the terminal."""
    letter = _find_one(dead_letter_id).letter
    if as_json:
        typer.echo(letter.model_dump_json())
        return
    obstacle = replay_obstacle(letter)
    lines = {
        "id": letter.dead_letter_id,
        "reason": letter.reason.value,
        "detail": plain(letter.detail),
        "origin": _origin(letter),
        "at": letter.at.isoformat(),
        "attempts": str(letter.attempts),
        "replay": "can be replayed" if obstacle is None else f"no: {obstacle}",
        "key": "none" if letter.key is None else rendered(letter.key),
        **{f"header {plain(h.name)}": rendered(h.value) for h in letter.headers},
        "length": f"{letter.value_length} bytes",
        "sha256": plain(letter.value_sha256),
        "value": "none" if letter.value is None else rendered(letter.value),
    }
    for name, value in lines.items():
        typer.echo(f"{name}: {value}")


@app.command("replay")
def replay(
    dead_letter_id: Annotated[str | None, typer.Argument(help="The dead letter's id, or the start of it.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Replay all dead letters, or all of a reason or family.")
    ] = False,
    reason: _Reason = None,
    family: _Family = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --all: send them. Without it, only count them.")] = False,
) -> None:
    """Send the event again, unchanged, to its original topic. Handling an event twice changes nothing.

    A truncated event can't be replayed, nor one that its origin no longer holds, nor an old state of a match or group.
    The dead letter stays; an event that is still invalid becomes another dead letter. Exit code 0: all were sent. 1:
    some could not be sent. 2: none was tried.
    """
    if (dead_letter_id is None) is not every:
        fail("name one dead letter, or give --all", USAGE)
    chosen = _find_all(reason, family) if dead_letter_id is None else [_find_one(dead_letter_id)]
    if every and not yes:
        fail(f"{len(chosen)} dead letters would be replayed; add --yes to do it. Nothing was sent.", USAGE)
    able = _able([kept.letter for kept in chosen])
    asyncio.run(_send(settings(), able))
    typer.echo(f"{len(able)} sent, {len(chosen) - len(able)} not")
    if len(able) < len(chosen):
        raise typer.Exit(NOT_FOUND)


def _able(letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """Return the letters that can be sent again; print for each other one why not."""
    obstacles = {letter.dead_letter_id: replay_obstacle(letter) for letter in letters}
    promising = [letter for letter in letters if obstacles[letter.dead_letter_id] is None]
    if promising:
        obstacles |= dict.fromkeys(find_outdated(promising), OUTDATED)
        obstacles |= dict.fromkeys(asyncio.run(find_unproven(settings(), promising)), UNPROVEN)
    for dead_letter_id, obstacle in obstacles.items():
        if obstacle is not None:
            typer.echo(f"not sent  {dead_letter_id}: {obstacle}")
    return [letter for letter in promising if obstacles[letter.dead_letter_id] is None]


def replay_obstacle(letter: DeadLetter) -> str | None:
    """Return a sentence on why a dead letter can't be replayed; None if it can."""
    value = letter.value or b""
    if letter.reason is DeadLetterReason.SUPERSEDED_WITHDRAWAL:
        return "what it withdraws stands at a higher revision; publish the withdrawal above that"
    if letter.reason is DeadLetterReason.ASSESSMENT_FAILED:
        return "the plan log holds the event already; publish the plan under its next revision"
    if letter.reason in NOT_COUNTED:
        return "the answer was read and does not count; look at its subject again, then send a new one"
    if letter.reason is DeadLetterReason.UNREADABLE_BATCH:
        return "its records were unreadable; have them published again"
    if not letter.complete:
        return "it holds only the start of the event; have the event published again"
    if len(value) != letter.value_length or hashlib.sha256(value).hexdigest() != letter.value_sha256:
        return "its bytes are not those that its length and sha256 speak of"
    if letter.key is None and letter.value is None:
        return "it has neither key nor value"
    try:
        # A dead letter is untrusted data: it must not choose a topic for us to write to.
        if letter.origin.topic not in (OPPORTUNITIES.name, COALITIONS.name):
            authority_of(letter.origin.topic, family_of(letter.origin.topic))
    except NotAnAuthorityTopicError:
        return f"its origin '{plain(letter.origin.topic, 120)}' is not a topic that we read"
    return None


async def find_letters(using: Settings, topics: Sequence[Topic]) -> tuple[list[StoredDeadLetter], int]:
    """Return every dead letter on these topics, oldest first, each once, and the number of other records."""
    consumer = AIOKafkaConsumer(
        **connection(using),
        client_id="jointly-dead-letters",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    wanted = {topic.name: topic for topic in topics}
    found: dict[str, StoredDeadLetter] = {}
    unreadable = 0
    try:
        await consumer.start()
        existing = sorted(wanted.keys() & await consumer.topics())
        for record in await all_records(consumer, existing):
            try:
                event = decode(record.headers, record.value, DEAD_LETTER_PAYLOADS)
            except EnvelopeError:
                unreadable += 1
                continue
            letter = cast(DeadLetter, event.payload)
            found[letter.dead_letter_id] = StoredDeadLetter(wanted[record.topic], letter)
    finally:
        await consumer.stop()
    return sorted(found.values(), key=lambda kept: (kept.letter.at, kept.letter.dead_letter_id)), unreadable


async def all_records(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> list[Record]:
    """Read all records of these topics, up to the end offsets in the fetch responses.

    `end_offsets()` is not used: Tansu's answer is wrong.
    """
    if not topics:
        return []
    consumer.subscribe(topics)
    records: list[Record] = []
    heard = time.monotonic()
    while True:
        batch = await consumer.getmany(timeout_ms=100)
        records += [record for some in batch.values() for record in some]
        if batch:
            heard = time.monotonic()
        answered, at_end = await _progress(consumer)
        if at_end or time.monotonic() - heard > (IDLE_SECONDS if answered else FIRST_ANSWER_SECONDS):
            return records


async def _progress(consumer: AIOKafkaConsumer) -> tuple[bool, bool]:
    """Return whether every partition has answered, and everything up to its end has been read."""
    partitions = consumer.assignment()
    ends = {partition: consumer.highwater(partition) for partition in partitions}
    if not partitions or None in ends.values():
        return False, False
    return True, all([await consumer.position(partition) >= end for partition, end in ends.items()])


async def _send(using: Settings, letters: Sequence[DeadLetter]) -> None:
    if not letters:
        return
    producer = make_producer(using, "jointly-replay")
    try:
        await producer.start()
        for letter in letters:
            headers = [(header.name, header.value) for header in letter.headers]
            await producer.send_and_wait(letter.origin.topic, key=letter.key, value=letter.value, headers=headers)
            typer.echo(f"sent      {letter.dead_letter_id} to {letter.origin.topic}")
    finally:
        await producer.stop()


def _find_all(reason: DeadLetterReason | None, family: str | None) -> list[StoredDeadLetter]:
    if family is not None and family not in FAMILIES:
        fail(f"there is no family '{plain(family, 40)}'; there are {' and '.join(FAMILIES)}", USAGE)
    topics = [topic for name, topic in FAMILIES.items() if family in (None, name)]
    found, unreadable = asyncio.run(find_letters(settings(), topics))
    if unreadable:
        typer.echo(f"{unreadable} records on the dead-letter topics are not dead letters and were left out", err=True)
    return [kept for kept in found if reason in (None, kept.letter.reason)]


def _find_one(dead_letter_id: str) -> StoredDeadLetter:
    found = [kept for kept in _find_all(None, None) if kept.letter.dead_letter_id.startswith(dead_letter_id)]
    if len(found) != 1:
        what = "no dead letter has" if not found else f"{len(found)} dead letters have ids that begin with"
        fail(f"{what} the id {plain(dead_letter_id, 60)}; see `jointly dead-letters list`", NOT_FOUND)
    return found[0]


def _origin(letter: DeadLetter) -> str:
    return f"{plain(letter.origin.topic, 120)}, partition {letter.origin.partition}, offset {letter.origin.offset}"
