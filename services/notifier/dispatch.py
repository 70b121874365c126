"""The dispatch loop: batch, claim, check, send, record. Any number of processes may run it concurrently.

No database session is open while the mail server works.
"""

import asyncio
import time
import uuid
from typing import Final

from services.domain import notification_schedule
from services.notifier import preflight
from services.notifier.batching import batch_due_intents
from services.notifier.channels import ChannelError, UnknownOutcomeError
from services.notifier.context import DispatchContext, ReadyEmail
from services.notifier.delivery_results import give_up, record_result, recover_expired
from services.notifier.receipts import batch_due_receipts
from services.platform import logs, metrics, retry
from services.store import deliveries
from services.store.database import transaction

SENDERS: Final = 4
IDLE_SECONDS: Final = 0.5
RECORD_PATIENCE_SECONDS: Final = 120.0

log: Final = logs.get(__name__)


class DispatchLoop:
    """Runs dispatch rounds. `last` is the end of the last round, by the monotonic clock, even if it failed."""

    def __init__(self, dispatch: DispatchContext) -> None:
        self._dispatch = dispatch
        self._stopping = asyncio.Event()
        self.last = time.monotonic()

    async def run_for_ever(self) -> None:
        """Run until cancelled. Transient errors are retried with backoff and lose nothing.

        After cancellation, emails already being sent are finished; interrupted, their outcome would be unknown.
        """
        failures = 0
        while True:
            round_ = asyncio.create_task(dispatch_once(self._dispatch, stopping=self._stopping))
            try:
                tried = await asyncio.shield(round_)
                self.last, failures = time.monotonic(), 0
                # More intents may have become due while emails were sent.
                await asyncio.sleep(0 if tried else IDLE_SECONDS)
            except asyncio.CancelledError:
                self._stopping.set()
                await asyncio.wait([round_])
                raise
            except Exception as error:
                self.last, failures = time.monotonic(), failures + 1
                log.warning("dispatch interrupted", error=retry.one_line(error))
                await asyncio.sleep(retry.backoff_seconds(failures))


async def dispatch_once(dispatch: DispatchContext, stopping: asyncio.Event | None = None) -> int:
    """Dispatch everything due; return the number of emails tried. `stopping` ends it after the current emails."""
    await recover_expired(dispatch)
    await batch_due_intents(dispatch)
    await batch_due_receipts(dispatch)
    tries = await asyncio.gather(*(_send_all(dispatch, stopping) for _ in range(SENDERS)), return_exceptions=True)
    for outcome in tries:
        if isinstance(outcome, BaseException):
            raise outcome
    return sum(outcome for outcome in tries if isinstance(outcome, int))


async def _send_all(dispatch: DispatchContext, stopping: asyncio.Event | None) -> int:
    tried = 0
    while not (stopping and stopping.is_set()) and await send_next(dispatch):
        tried += 1
    return tried


async def send_next(dispatch: DispatchContext) -> bool:
    """Claims, checks and sends one email; False if none is due."""
    lease_owner = uuid.uuid4().hex
    async with transaction(dispatch.sessions) as session:
        mail = await deliveries.claim_next(session, lease_owner, dispatch.clock(), notification_schedule.LEASE)
    if mail is None:
        return False
    try:
        ready = await preflight.prepare_send(dispatch, mail.mail_id, lease_owner)
    except Exception as error:
        if retry.is_transient(error):
            raise
        log.exception("a mail can't be composed", mail_id=mail.mail_id)
        await give_up(dispatch, mail.mail_id, lease_owner, "not-composed")
        return True
    if ready is not None:
        await _send(dispatch, ready)
    return True


async def _send(dispatch: DispatchContext, ready: ReadyEmail) -> None:
    started = time.monotonic()
    error: ChannelError | None = None
    try:
        async with asyncio.timeout(notification_schedule.SEND_TIMEOUT.total_seconds()):
            await dispatch.channel.send(ready.message, dispatch.sender.mailbox, ready.recipient)
    except ChannelError as failure:
        error = failure
    except TimeoutError:
        error = UnknownOutcomeError("timeout")
    metrics.SENDING.observe(time.monotonic() - started)
    # A result that is not recorded leads to a second email, so wait for the database.
    await retry.retry_transient(lambda: record_result(dispatch, ready, error), RECORD_PATIENCE_SECONDS)
