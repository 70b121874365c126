"""The way out: SMTP. What can go wrong is of three kinds, told apart by exception type."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

COMMAND_TIMEOUT_SECONDS: Final = 30.0
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class ChannelError(Exception):
    """A message was not, or maybe not, taken. `reason` is a word for records; neither holds an address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PermanentError(ChannelError):
    """The server will never take this message (5xx)."""


class TemporaryError(ChannelError):
    """The server has not taken this message and may take it later (4xx, no connection, no answer)."""


class UnknownOutcomeError(ChannelError):
    """The message was given to the server, and no answer came: it may or may not have been taken."""


class Channel(Protocol):
    """A way to send one message to one mailbox."""

    async def send(self, message: bytes, sender: str, recipient: str) -> None:
        """Returns once the message (RFC 5322, 7 bit) is taken.

        Raises PermanentError, TemporaryError or UnknownOutcomeError.
        """


@dataclass(frozen=True, slots=True)
class SmtpChannel:
    """One SMTP server. `start_tls`: True insists, None upgrades where the server can."""

    host: str
    port: int
    use_tls: bool = False
    start_tls: bool | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = COMMAND_TIMEOUT_SECONDS

    async def send(self, message: bytes, sender: str, recipient: str) -> None:
        """One connection, one message: nothing is shared that a slow or broken server could hold up."""
        client = self._client()
        given = False
        try:
            # A refusal of us (sign-in, sender) is the operator's to mend, and no reason to give a message up.
            await _classify_errors(client.connect(), permanent=TemporaryError)
            await _classify_errors(client.mail(sender), permanent=TemporaryError)
            await _classify_errors(client.rcpt(recipient))
            given = True
            await _classify_errors(client.data(message))
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            # Past DATA a lost connection says nothing of what the server did with the message.
            kind = UnknownOutcomeError if given else TemporaryError
            raise kind(type(error).__name__) from None
        except asyncio.CancelledError:
            client.close()
            raise
        finally:
            await _quit(client)

    async def check(self) -> None:
        """Connects and signs in; sends nothing. Raises TemporaryError."""
        client = self._client()
        try:
            await _classify_errors(client.connect(), permanent=TemporaryError)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise TemporaryError(type(error).__name__) from None
        finally:
            await _quit(client)

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.use_tls,
            start_tls=False if self.use_tls else self.start_tls,
            username=self.username,
            password=self.password,
            timeout=self.timeout,
        )


def smtp_from_url(url: str, timeout: float = COMMAND_TIMEOUT_SECONDS) -> SmtpChannel:
    """`smtp://user:password@host:port[?starttls=require]` or `smtps://...`.

    A password is only ever given over TLS, except to a server on this machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    use_tls = parts.scheme == "smtps"
    insist = "require" in parse_qs(parts.query).get("starttls", []) or bool(parts.username and host not in _LOOPBACK)
    return SmtpChannel(
        host=host,
        port=parts.port or (465 if use_tls else 587 if insist else 25),
        use_tls=use_tls,
        start_tls=True if insist and not use_tls else None,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        timeout=timeout,
    )


async def _classify_errors(command: Awaitable[object], permanent: type[ChannelError] = PermanentError) -> None:
    try:
        await command
    except aiosmtplib.SMTPResponseException as error:
        kind = permanent if 500 <= error.code < 600 else TemporaryError
        raise kind(f"smtp-{error.code}") from None


async def _quit(client: aiosmtplib.SMTP) -> None:
    """Says goodbye; whatever comes of that, the message's outcome stands."""
    if client.is_connected:
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            await client.quit(timeout=5)
    client.close()
