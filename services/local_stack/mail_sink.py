"""The embedded mail server: it accepts every email on a free loopback port and stores it as an .eml file. It forwards
nothing.

Tests make it misbehave through `Answers`.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import itertools
import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.local_stack.child_process import LOOPBACK

ACCEPTED = "250 2.0.0 Kept"
LARGEST_MAIL = 10 * 1024 * 1024


@dataclass
class FakeResponses:
    """The server's answers where they differ from "accepted". Change them at any time; addresses are compared in lower
    case.

    `recipients`: the answer to RCPT TO for an address, e.g. `{"it@leeds.example": "550 5.1.1 No such mailbox"}`.
    `data`: the answer to an email after its content, by any one of its recipients, e.g. `"451 4.3.0 Later"`; the email
    is then not stored. `hang`: addresses whose email is stored but never answered until `release()`, so the sender
    can't know whether it arrived.
    """

    recipients: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    hang: set[str] = field(default_factory=set)

    def reset(self) -> None:
        """Accept everything again. Sessions that already hang stay so until the server stops or the sender
        disconnects."""
        self.recipients.clear()
        self.data.clear()
        self.hang.clear()


@dataclass
class MailSink:
    """A running mail sink: its address, the folder of its emails, and its answers."""

    host: str
    port: int
    folder: Path
    answers: FakeResponses

    @property
    def url(self) -> str:
        """`smtp://host:port`, in the form of JOINTLY_SMTP_URL."""
        return f"smtp://{self.host}:{self.port}"

    def paths(self) -> list[Path]:
        """Return the .eml files, oldest first."""
        return sorted(self.folder.glob("*.eml"))

    def mails(self) -> list[EmailMessage]:
        """Return the parsed emails, oldest first. `X-Envelope-From` and `X-Envelope-To` hold the addresses of the SMTP
        session."""
        return [_parse(path) for path in self.paths()]

    def clear(self) -> None:
        """Delete the emails received."""
        for path in self.paths():
            path.unlink()


class _Handler:
    """aiosmtpd's hooks; they run in the server's own thread and event loop."""

    def __init__(self, folder: Path, answers: FakeResponses) -> None:
        self._folder = folder
        self._answers = answers
        # Numbers continue after those of earlier runs in the folder, so that names sort by time of receipt.
        first = max((int(path.stem) for path in folder.glob("*.eml") if path.stem.isdigit()), default=0) + 1
        self._numbers = itertools.count(first)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self._answers.recipients.get(address.lower())
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient taken"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        recipients = [str(address).lower() for address in envelope.rcpt_tos]
        for address in recipients:
            if address in self._answers.data:
                return self._answers.data[address]
        self._keep(envelope)
        if not self._answers.hang.isdisjoint(recipients):
            await asyncio.Event().wait()  # until the sender disconnects or the server stops
        return ACCEPTED

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.original_content or b""
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        path = self._folder / f"{next(self._numbers):06d}.eml"
        partial = path.with_suffix(".partial")
        partial.write_bytes(head.encode("utf-8", "surrogateescape") + content)
        partial.replace(path)  # readers see complete emails only


@contextmanager
def run_mail_sink(folder: Path) -> Iterator[MailSink]:
    """Run the mail sink until the block ends, and store emails in `folder`. Raises `OSError` if it can't listen."""
    folder.mkdir(parents=True, exist_ok=True)
    answers = FakeResponses()
    listener = socket.create_server((LOOPBACK, 0))
    loop = asyncio.new_event_loop()
    serving = threading.Event()
    thread = threading.Thread(
        target=_serve, args=(loop, listener, _Handler(folder, answers), serving), name="mailbox", daemon=True
    )
    thread.start()
    if not serving.wait(30):
        raise TimeoutError("The mail server's thread did not start within 30 s.")
    try:
        yield MailSink(LOOPBACK, listener.getsockname()[1], folder, answers)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _serve(
    loop: asyncio.AbstractEventLoop, listener: socket.socket, handler: _Handler, serving: threading.Event
) -> None:
    """Serve SMTP and set `serving`. When the loop is told to stop, drop every session.

    aiosmtpd's own Controller can't take port 0, and when it stops it waits for sessions that hang.
    """
    sessions: weakref.WeakSet[SMTP] = weakref.WeakSet()

    def session() -> SMTP:
        server = SMTP(
            handler, hostname="mailbox.jointly.example", data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True, loop=loop
        )
        sessions.add(server)
        return server

    asyncio.set_event_loop(loop)
    server = loop.run_until_complete(loop.create_server(session, sock=listener))
    loop.call_soon(serving.set)
    try:
        loop.run_forever()
    finally:
        server.close()
        for open_session in list(sessions):
            if isinstance(open_session.transport, asyncio.Transport):
                open_session.transport.abort()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()


def _parse(path: Path) -> EmailMessage:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message
