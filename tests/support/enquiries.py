"""Councils that are asked for their prices."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from events.responses import EnquiryAnswer, ResponseEnquiry
from services.coalitions.benchmark_requests import sweep_requests
from services.domain.links import LinkMaker
from services.local_stack.mail_sink import MailSink
from services.platform.settings import Settings
from services.store.database import make_sessions
from tests.support.coalitions import AS_OF, BRADFORD, CALDERDALE, KIRKLEES, LEEDS, CoalitionsHarness, plan
from tests.support.contracts import ContractsHarness
from tests.support.matcher import make_matcher
from tests.support.notifier import NotifierHarness

SECRET = "a-secret-of-thirty-two-characters"


@dataclass
class EnquiryScene:
    """Matcher, coalitions process and notifier, one after the other."""

    harness: CoalitionsHarness
    contracts: ContractsHarness
    notifier: NotifierHarness
    engine: AsyncEngine

    async def sweep(self, day: date = AS_OF) -> None:
        """The round of a day."""
        await sweep_requests(self.harness.sessions, day)

    async def asked(self) -> list[str]:
        """The councils that were asked."""
        return [
            row.authority for row in await self.harness.rows("SELECT authority FROM benchmark_enquiries ORDER BY 1")
        ]

    async def answers(self, authority: str, outcome: EnquiryAnswer, **changes: Any) -> None:
        """A council answers the only request."""
        ((request_id, revision),) = await self.harness.rows("SELECT request_id, revision FROM benchmark_requests")
        number = next(self.harness.numbers)
        await self.harness.respond(
            ResponseEnquiry(
                response_id=f"response-{number:06}",
                authority=authority,
                subject="benchmark",
                subject_id=request_id,
                subject_revision=revision,
                outcome=outcome,
                **changes,
            )
        )

    async def emails(self, day: date) -> list[tuple[str, str]]:
        """A day with its sweep and its emails: recipient and subject of all that came until then."""
        self.notifier.now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        await sweep_requests(self.harness.sessions, day, self.notifier.now)
        await self.notifier.run()
        return sorted((mail["To"].split("@")[1], mail["Subject"]) for mail in self.notifier.mails())


async def make_scene(database: AsyncEngine, mailbox: MailSink) -> EnquiryScene:
    """Leeds, Bradford, Kirklees and Calderdale, registered."""
    sessions, settings = make_sessions(database), Settings(as_of=AS_OF)
    harness = CoalitionsHarness(await make_matcher(sessions, settings), sessions, settings)
    notifier = NotifierHarness(sessions, mailbox, links=LinkMaker("https://jointly.example", (SECRET,)))
    for code, name in ((LEEDS, "leeds"), (BRADFORD, "bradford"), (KIRKLEES, "kirklees"), (CALDERDALE, "calderdale")):
        await notifier.register(code, name=name.capitalize(), mailbox=f"buying@{name}.example")
    return EnquiryScene(harness, ContractsHarness(sessions, AS_OF), notifier, database)


def holding(authority: str, **changes: Any) -> Any:
    """A plan of a council that names its present contract."""
    return plan(authority, **{"current_contract": {"supplier": "Northmoor Ltd", "end": "2028-03-31"}, **changes})
