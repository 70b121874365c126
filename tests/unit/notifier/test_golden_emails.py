"""Emails of a fixed scenario equal their golden files, in text and HTML; what they must never say is in none."""

import re

import pytest

from services.notifier.rendering.headline import SUBJECT_LENGTH
from tests.unit.notifier.golden_emails import FOLDER, emails

EMAILS = emails()


@pytest.mark.parametrize("name", sorted(EMAILS))
def test_an_email_equals_its_golden_files(name: str) -> None:
    text, html, subject = EMAILS[name]
    assert f"Subject: {subject}\n\n{text}" == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert html == (FOLDER / f"{name}.html").read_text(encoding="utf-8")
    assert len(subject) < SUBJECT_LENGTH + 1


@pytest.mark.parametrize("name", sorted(EMAILS))
def test_an_email_has_one_heading_and_real_tables(name: str) -> None:
    text, html, _ = EMAILS[name]
    assert html.count("<h1") == 1
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        assert '<th scope="row">' in table
    assert "#0b0c0c;padding:14px" not in html, "no bar that looks like GOV.UK's"
    for words in ("CPV", "share the words", "speak of", "Where:", "feed", "a notify"):
        assert words not in text
