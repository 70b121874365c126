"""`jointly authorities` and `jointly digests`, on a real database."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from services.local_stack.mail_sink import MailSink
from services.store.database import make_engine, make_sessions
from tests.support.command_line import CommandLine
from tests.support.notifier import NotifierHarness
from tests.unit.notifier.making import CAMDEN, LEEDS, state

Result = TypeVar("Result")

REGISTER = f"authority,name,mailbox\n{LEEDS},,procurement@leeds.example\n{CAMDEN},Camden,not-an-address\n"


@pytest.fixture
def with_notifier(
    database_url: str, mailbox: MailSink
) -> Callable[[Callable[[NotifierHarness], Awaitable[Result]]], Result]:
    def run(work: Callable[[NotifierHarness], Awaitable[Result]]) -> Result:
        async def inside() -> Result:
            engine = make_engine(database_url)
            try:
                return await work(NotifierHarness(make_sessions(engine), mailbox))
            finally:
                await engine.dispose()

        return asyncio.run(inside())

    return run


def test_import_reports_each_wrong_line_and_takes_the_rest(jointly: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text(REGISTER, encoding="utf-8-sig")
    code, out, err = jointly("authorities", "import", str(file))
    assert (code, out) == (1, "1 added, 0 changed, 0 unchanged, 1 rejected\n")
    assert err == f"{file}, line 3: mailbox must hold exactly one @\n"

    file.write_text(REGISTER.replace("not-an-address", "buying@camden.example"))
    assert json.loads(jointly("authorities", "import", str(file), "--json")[1]) == {
        "added": 1, "changed": 0, "unchanged": 1, "rejected": 0, "due_again": 0,
    }  # fmt: skip
    assert jointly("authorities", "import", str(file))[:2] == (0, "0 added, 0 changed, 2 unchanged, 0 rejected\n")


def test_what_is_exported_is_imported_unchanged(jointly: CommandLine, tmp_path: Path) -> None:
    file, back = tmp_path / "register.csv", tmp_path / "back.csv"
    file.write_text(
        "authority,name,mailbox,digest,paused_until,signed_on,muted_partners,muted_opportunities\n"
        f'{LEEDS},"Leeds, City",procurement@leeds.example,no,2027-01-04,2026-04-01,{CAMDEN},{"0" * 32}\n'
    )
    jointly("authorities", "import", str(file))
    assert jointly("authorities", "export", str(back))[0] == 0
    assert (
        f'{LEEDS},"Leeds, City",procurement@leeds.example,yes,no,yes,yes,yes,2027-01-04,2026-04-01,,,{CAMDEN},'
        f"{'0' * 32}" in (back.read_text())
    )
    assert jointly("authorities", "import", str(back))[1] == "0 added, 0 changed, 1 unchanged, 0 rejected\n"
    assert jointly("authorities", "export")[1] == back.read_text()

    back.write_text(f"authority,muted_partners\n{LEEDS},\n")
    assert jointly("authorities", "import", str(back))[1] == "0 added, 1 changed, 0 unchanged, 0 rejected\n"
    assert f",,,,{'0' * 32}" in jointly("authorities", "export")[1], "only what the file names has changed"


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "can't be read"), (b"\xff\xfe\x00", "can't be read"), (b"code,mail\n", "header line of these columns")],
)
def test_a_file_that_cannot_be_read(jointly: CommandLine, tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "register.csv"
    if content is not None:
        file.write_bytes(content)
    code, _, err = jointly("authorities", "import", str(file))
    assert code == 2
    assert says in err


def test_what_is_held_failed_and_flushed_is_visible(
    jointly: CommandLine,
    with_notifier: Callable[[Callable[[NotifierHarness], Awaitable[Result]]], Result],
    mailbox: MailSink,
) -> None:
    assert jointly("authorities", "held")[2] == "nothing is held\n"
    assert jointly("authorities", "failed")[2] == "no email has failed\n"
    mailbox.answers.recipients["procurement@leeds.example"] = "550 5.1.1 No such mailbox"

    async def happen(notifier: NotifierHarness) -> None:
        await notifier.register(LEEDS)
        await notifier.arrives(state())
        notifier.later(seconds=61)
        await notifier.run()
        await notifier.arrives(state(material=2, band="digest"))

    with_notifier(happen)
    _, held, _ = jointly("authorities", "held")
    assert f"{CAMDEN}\tLondon Borough of Camden\t1\t2026-11-23\tno mailbox\n" in held
    assert [(h["authority"], h["held"]) for h in json.loads(jointly("authorities", "held", "--json")[1])] == [
        (CAMDEN, 1)
    ]
    _, failed, _ = jointly("authorities", "failed")
    assert f"\t{LEEDS}\timmediate\tpermanent\tsmtp-550\t1\n" in failed
    assert "@" not in held + failed
    assert json.loads(jointly("authorities", "failed", "--json")[1])[0]["failure"] == "permanent"
    assert jointly("digests", "flush")[:2] == (0, "2 notifications are due now\n")
    assert json.loads(jointly("digests", "flush", "--json")[1]) == {"due": 2}


def test_muting_needs_to_know_whom_and_what(jointly: CommandLine) -> None:
    assert jointly("authorities", "mute", LEEDS)[0] == 2
    assert jointly("authorities", "mute", LEEDS, "--partner", CAMDEN)[0] == 1
