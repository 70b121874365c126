"""An email about an extension leads to the page where there is one, and leaves the decision to the council."""

from datetime import UTC, date, datetime

import pytest

from services.domain.benchmark_requests import BenchmarkNotice, request_benchmark
from services.domain.links import LinkMaker
from services.notifier.page_links import PageLinks
from services.notifier.rendering import email_message
from services.notifier.rendering.benchmark_email import benchmark_letter
from services.store.authorities import Authority

TODAY, ENDS = date(2026, 11, 26), date(2027, 3, 31)
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
PLAN = "E08000035:HR-1"
LABEL = "Compare prices and record your decision"


@pytest.mark.parametrize("kind", [BenchmarkNotice.REQUEST, BenchmarkNotice.REMINDER, BenchmarkNotice.WITHOUT])
def test_commands_stand_only_where_there_are_no_pages(kind: BenchmarkNotice) -> None:
    request = request_benchmark("0" * 32, PLAN, category="software", months=18, ends=(ENDS, ENDS), today=TODAY)
    assert request is not None
    leeds = Authority(authority="E08000035", name="Leeds", mailbox_ref="1", created_at=NOON, updated_at=NOON)
    links = PageLinks(LinkMaker("https://jointly.example", ("s" * 32,)), leeds, TODAY)
    page = links.benchmark(PLAN)
    assert page == "https://jointly.example/p/E08000035:HR-1/benchmark"
    for link in (page, None):
        letter = benchmark_letter(request, kind, "Payroll", "Leeds", None, link, ict=True)
        made = email_message.compose_notice(
            "benchmark", letter, email_message.sender("Jointly <j@jointly.example>"), "p@leeds.example", "<1@j>", NOON
        )
        for part in made.iter_parts():
            text = " ".join(part.get_content().split())
            assert ("jointly extensions" in text) is (link is None)
            assert (LABEL in text, page in text) == (link is not None, link is not None)
            assert "The decision is yours; Jointly blocks nothing." in text
