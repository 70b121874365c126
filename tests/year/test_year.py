"""Eighteen months of forty councils on the real services: the programme's numbers are those of the scenario."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from services.local_stack.mail_sink import MailSink
from services.platform.clock import CLOCK
from tests.brokers import ApacheKafka
from tests.pipeline import pipeline
from tests.support.service_processes import fork_service
from tests.support.shifted_clock import ShiftedClock, follow
from tests.year import scenario
from tests.year.expected import Measures
from tests.year.run import Year, enrol

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CREW = ("matcher", "coalitions", "relay", "notifier")
SETTINGS = {"JOINTLY_AS_OF": "", "JOINTLY_SWEEP_INTERVAL_SECONDS": "0.25", "JOINTLY_NOTIFY_BATCH_SECONDS": "0.5"}

BY_PRESENT_STATE = ("Precision", "Worth", "Contracts")
"""The sections that count pairs and contracts as they stand now, so that a report of a past day may differ."""
FATES = {
    "HR": "awarded",
    "LIB": "lapsed",
    "PARK": "awarded",
    "GRIT": "formed",
    "FLEET": "formed",
    "CASH": "formed",
    "PLAN": "dissolved",
}
"""What becomes of the coalitions whose members were invited."""
_INVITED = """
SELECT DISTINCT split_part(m.plan_id, ':', 2) AS key, c.status FROM coalitions c
JOIN coalition_members m USING (coalition_id) WHERE c.state ->> 'invitation' IS NOT NULL
"""

_REMINDED = """
SELECT n.plan_id, (m.updated_at AT TIME ZONE 'Europe/London')::date AS day FROM coalition_notices n
JOIN notification_mails m USING (mail_id) WHERE n.kind = 'reminder' AND m.state = 'sent'
"""


def test_the_programme_over_a_year_and_a_half(
    apache_broker: ApacheKafka, database_url: str, mailbox: MailSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "clock"
    clock = ShiftedClock(file)
    monkeypatch.setattr(CLOCK, "read", clock.now)
    enrol(database_url, scenario.REGISTER)
    start = partial(fork_service, before=partial(follow, file))
    with pipeline(
        apache_broker.bootstrap, database_url, tmp_path, mailbox.url, start_service=start, **SETTINGS
    ) as line:
        year = Year(line, clock, file)
        for name in CREW:
            line.start(name)
        wrong = {}
        for day in year.days():
            if day in scenario.REPORTS:
                wrong[day] = _differences(year.programme(), year.expected.measures(day))
        assert not any(wrong.values()), f"as the programme says, and as it ought to: {wrong}"
        for day in scenario.REPORTS:
            later = _differences(year.programme("--as-of", day.isoformat()), year.expected.measures(day))
            assert not {name for name in later if name[0] not in BY_PRESENT_STATE}, (day, later)
        verdicts = {row.response_id: row.outcome for row in line.sql("SELECT response_id, outcome FROM responses")}
        for number, said in enumerate(scenario.ANSWERS):
            assert verdicts[f"said-{number:05}"] == ("recorded" if said.counts else "refused"), said
        assert {row.key: row.status for row in line.sql(_INVITED)} == FATES
        assert Counter((row.plan_id, row.day) for row in line.sql(_REMINDED)) == year.expected.reminders()


def _differences(found: Measures, wanted: Measures) -> dict[tuple[str, str], tuple[float | None, float | None]]:
    names = found.keys() | wanted.keys()
    return {name: (found.get(name), wanted.get(name)) for name in sorted(names) if found.get(name) != wanted.get(name)}
