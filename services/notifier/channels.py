"""The email channel: SMTP. Exception types distinguish the three kinds of failure."""

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
    """The server did not take a message, or may not have. `reason` is a code for records, without any address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PermanentError(ChannelError):
    """The server permanently refused the message (5xx)."""


class TemporaryError(ChannelError):
    """The server did not take the message now, and may later (4xx, no connection, no answer)."""


class UnknownOutcomeError(ChannelError):
    """The message was sent to the server without an answer: it may or may not have been accepted."""


class Channel(Protocol):
    """A way to send one message to one mailbox."""

    async def send(self, message: bytes, sender: str, recipient: str) -> None:
        """Return once the message (RFC 5322, 7 bit) is taken.

        Raises PermanentError, TemporaryError or UnknownOutcomeError.
        """


@dataclass(frozen=True, slots=True)
class SmtpChannel:
    """One SMTP server. `start_tls`: True requires TLS, None uses it if the server offers it."""

    host: str
    port: int
    use_tls: bool = False
    start_tls: bool | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = COMMAND_TIMEOUT_SECONDS

    async def send(self, message: bytes, sender: str, recipient: str) -> None:
        """Send one message on a connection of its own, so that a slow or broken server delays nothing else."""
        client = self._client()
        given = False
        try:
            # The operator has to fix a refused sign-in or sender. The message itself is not at fault.
            await _classify_errors(client.connect(), permanent=TemporaryError)
            await _classify_errors(client.mail(sender), permanent=TemporaryError)
            await _classify_errors(client.rcpt(recipient))
            given = True
            await _classify_errors(client.data(message))
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            # After DATA, a lost connection does not tell whether the server accepted the message.
            kind = UnknownOutcomeError if given else TemporaryError
            raise kind(type(error).__name__) from None
        except asyncio.CancelledError:
            client.close()
            raise
        finally:
            await _quit(client)

    async def check(self) -> None:
        """Connect and sign in; send nothing. Raises TemporaryError."""
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
    """Parse `smtp://user:password@host:port[?starttls=require]` or `smtps://...`.

    A password is only sent over TLS, except to a server on this machine.
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
    """End the connection. Errors here do not change the message's outcome."""
    if client.is_connected:
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            await client.quit(timeout=5)
    client.close()
