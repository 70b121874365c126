"""`jointly web` as a process of its own: it needs database and mail server, and no broker."""

import os
import signal
import sys
import urllib.request
from pathlib import Path

from services.local_stack.child_process import LOOPBACK, free_port, start, stop, wait_until
from services.local_stack.mail_sink import MailSink
from services.local_stack.stack import ready
from tests.support.web import SECRET


def test_the_pages_open_without_a_broker_and_end_in_order(database_url: str, mailbox: MailSink, tmp_path: Path) -> None:
    health, pages = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "JOINTLY_DATABASE_URL": database_url.replace("+psycopg", ""),
        "JOINTLY_SMTP_URL": mailbox.url,
        "JOINTLY_LINK_SECRET": SECRET,
        "JOINTLY_HTTP_PORT": str(health),
        "JOINTLY_WEB_PORT": str(pages),
    }
    command = [sys.executable, "-m", "services.cli", "web"]
    process = start("jointly web", command, tmp_path / "web.log", environment=environment)
    try:
        wait_until(lambda: ready(health), process, seconds=60)
        with urllib.request.urlopen(f"http://{LOOPBACK}:{pages}/", timeout=10) as page:
            assert "Sign in" in page.read().decode()
        with urllib.request.urlopen(f"http://{LOOPBACK}:{health}/metrics", timeout=10) as numbers:
            assert 'jointly_dependency_up{dependency="postgresql"}' in numbers.read().decode()
    finally:
        ended = stop(process, request=signal.SIGTERM)
    # Once all is closed, the server ends as the signal asked.
    assert ended == -signal.SIGTERM, process.log_tail()
    assert "process stops" in process.log_tail()
