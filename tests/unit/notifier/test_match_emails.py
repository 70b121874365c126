"""What a reader may see, and that nobody's text does anything but be read."""

import re
import unicodedata
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.fields import Window
from matching.text.formatting import format_date, join_words
from services.domain import notification_schedule
from services.notifier.rendering import email_message, mail_view, phrases
from services.notifier.rendering.headline import SUBJECT_LENGTH
from services.notifier.rendering.opportunity_view import OpportunityView, contact_for, opportunity_view
from services.notifier.rendering.plain_text import sanitise, truncate
from services.store.authorities import AddressError
from tests.unit.notifier.making import CAMDEN, LEEDS, NAMES, side, state

WHO = email_message.sender("Jointly <jointly@jointly.example>")
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = AT.date()


def composed(*items: OpportunityView, purpose: str = "immediate", who: email_message.Sender = WHO) -> EmailMessage:
    letter = mail_view.email_view(LEEDS, "Leeds City Council", purpose, items, TODAY)
    made = email_message.compose(
        letter, who, "procurement@leeds.example", "m" * 32, email_message.message_id("m" * 32, who), AT
    )
    return message_from_bytes(email_message.as_bytes(made), policy=policy.default)  # type: ignore[return-value]


def message_of(after: Any) -> EmailMessage:
    letter = mail_view.email_view(LEEDS, "Leeds City Council", "immediate", [shown(after)], TODAY)
    return email_message.compose(letter, WHO, "procurement@leeds.example", "m" * 32, "<m@jointly.example>", AT)


def bodies(mail: EmailMessage) -> tuple[str, str]:
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert rich is not None
    return str(plain.get_content()), str(rich.get_content())


PURPOSES = ("immediate", "digest", "correction")


def shown(after: Any = None, **changes: Any) -> OpportunityView:
    found = after or state()
    partner = next(side for side in found.plans if side.authority != LEEDS)
    name = NAMES.get(partner.authority, partner.authority)
    values = {"band": "notify", "change": "new", "contact": "buying@camden.example", "partner": name} | changes
    return opportunity_view(found, LEEDS, **values)


def test_an_open_match_says_who_what_when_why_and_by_when() -> None:
    for body in bodies(composed(shown())):
        text = " ".join(re.sub(r"<[^>]+>", " ", body).split())
        for part in (
            "Your plan: HR and payroll system of E08000035 (ICT-0042), tender Mar-Jun 2027",
            "Camden plans to buy this when you do.",
            "HR and payroll system of E09000007",
            "Strong match, 87 out of 100",
            "Tender together from 1 March 2027",
            "Not given",
            "buying@camden.example",
            "Why: Both plans have the same need, HR and payroll. Both lie in London.",
            "Jointly suggests and never decides",
            "To stop, pause or change these emails",
        ):
            assert part in text
        assert "October 2027" not in text, "nobody can act on what would change a strong match"
        assert "CPV" not in text, "nobody buys a code"


@pytest.mark.parametrize(
    ("own", "other"), [("match_only", "open"), ("open", "match_only"), ("match_only", "match_only")]
)
def test_a_match_only_email_shows_four_facts_only(own: str, other: str) -> None:
    """Even where the event should say too much."""
    leaky = state(
        side(LEEDS, sharing=own, title="Own secret"),
        side(CAMDEN, sharing=other, title="Payroll secret", plan_id=f"{CAMDEN}:PAYROLL-9"),
        reasons=("Both name Zephyr payroll",),
        would_change=("If the payroll moved",),
    )
    mail = composed(shown(leaky))
    everything = "\n".join([*bodies(mail), mail["Subject"]])
    secrets = ("secret", "ayroll", "PAYROLL", "Zephyr", "48450000", "87", "buying@camden", "12 January", "ICT-0042")
    for secret in secrets:
        assert secret not in everything, secret
    assert "Camden" not in mail["Subject"]
    for allowed in ("London Borough of Camden", "1 March", "London", "Strong match"):
        assert allowed in everything, allowed


@pytest.mark.parametrize("both", [("open", "match_only"), ("match_only", "open"), ("open", "private")])
def test_a_mailbox_is_shown_only_where_both_share_openly(both: tuple[str, str]) -> None:
    closed = state(side(LEEDS, sharing=both[0]), side(CAMDEN, sharing=both[1]))
    mailboxes = {CAMDEN: "buying@camden.example"}
    assert contact_for(closed, closed.plans[1], mailboxes) is None
    assert contact_for(state(), state().plans[1], mailboxes) == "buying@camden.example"
    assert contact_for(state(), state().plans[1], {}) is None


@pytest.mark.parametrize(
    ("origin", "words"),
    [("notice", "From a public notice at "), ("derived", "Not confirmed by them: it follows from a public notice at ")],
)
def test_a_plan_from_a_notice_says_so_with_its_address_and_licence(origin: str, words: str) -> None:
    notice = "https://www.find-tender.service.gov.uk/Notice/000001-2026"
    partner = side(CAMDEN, origin=origin, notice=notice)
    for body in bodies(message_of(state(side(LEEDS), partner))):
        seen = " ".join(body.split())
        assert f"Camden: {words}{notice}." in seen
        assert "Open Government Licence v3.0" in seen
    hidden = state(side(LEEDS), side(CAMDEN, sharing="match_only", origin=origin, notice=notice))
    assert notice not in bodies(message_of(hidden))[0]


@pytest.mark.parametrize(
    "notice",
    [
        "https://find-tender.example/Notice/1",
        "https://www.find-tender.service.gov.uk@evil.example/Notice/1",
        "https://www.find-tender.service.gov.uk/Notice/1?next=//evil.example",
        "https://www.find-tender.service.gov.uk.evil.example/Notice/1",
    ],
)
def test_no_other_link_than_to_a_notice_stands_in_an_email(notice: str) -> None:
    text, html = bodies(message_of(state(side(LEEDS), side(CAMDEN, origin="notice", notice=notice))))
    assert "whose address is not known" in " ".join(text.split())
    assert "evil" not in text + html
    assert "find-tender" not in text + html


def test_a_correction_says_what_ended_and_why() -> None:
    ended = shown(state(material=2, status="withdrawn", reasons=("Camden has withdrawn its plan",)), change="withdrawn")
    mail = composed(ended, purpose="correction")
    assert mail["Subject"] == "HR and payroll system of E08000035: no match with Camden now"
    for body in bodies(mail):
        assert "No longer a match" in body
        assert "Camden has withdrawn its plan" in body
        assert "12 January 2027" not in body, "nobody has to act any more"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><a href="https://evil.example">click</a>',
    "{{ 7*7 }}{% include 'x' %}",
    "Payroll\r\nBcc: everybody@evil.example\r\n\r\nfree text",
    "Payroll\nX-Header: 1",
    "‮txet sdrawkcab⁦ hidden​",
    "Payroll see https://evil.example/login or www.evil.example now",
    "javascript:alert(1)",
    "\x00\x1b[31mred",
    "a" * 500,
    "=?utf-8?q?=0d=0aBcc:_x@evil.example?=",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_title_does_nothing_but_be_read(attack: str) -> None:
    nasty = state(
        side(LEEDS, title=attack),
        side(CAMDEN, title=attack, authority_name=attack[:100]),
        reasons=(attack,),
        would_change=(attack,),
    )
    mail = composed(shown(nasty))
    raw = email_message.as_bytes(message_of(nasty))
    assert raw.isascii()
    assert not re.search(rb"(?m)^[A-Za-z-]+: *\r\n", raw.partition(b"\r\n\r\n")[0]), (
        "no header begins with an empty line"
    )
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r"), "no bare line ends"
    assert set(mail.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress",
        "List-Unsubscribe", "List-Id", "Reply-To", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert len(" ".join(mail["Subject"].split())) <= SUBJECT_LENGTH, "folding adds a space"
    text, rich = bodies(mail)
    assert "\nBcc" not in text
    tags = _Tags()
    tags.feed(rich)
    assert {tag for tag, _ in tags.found}.isdisjoint({"script", "img", "iframe", "form", "object", "svg"})
    links = [value for _, attrs in tags.found for name, value in attrs if name in ("href", "src")]
    assert {str(link).partition("?subject=")[0] for link in links} == {
        "mailto:buying@camden.example", "mailto:jointly@jointly.example"
    }  # fmt: skip
    assert not [name for _, attrs in tags.found for name, _ in attrs if name.startswith("on")]
    for part in (text, rich, mail["Subject"]):
        assert "://evil" not in part
        assert "www.evil" not in part
        assert not [c for c in part if unicodedata.category(c) in ("Cf", "Co", "Cs")]


@given(st.text(max_size=300))
def test_plain_is_one_visible_line(text: str) -> None:
    seen = sanitise(text)
    assert len(seen) <= 200
    assert all(unicodedata.category(c)[0] != "C" and c not in "\r\n\u2028\u2029" for c in seen)
    assert sanitise(seen) == seen


@given(st.text(min_size=1, max_size=300), st.integers(2, 100))
def test_cut_never_exceeds(text: str, limit: int) -> None:
    assert len(truncate(text, limit)) <= limit


def test_a_title_is_cut_between_words() -> None:
    assert truncate("Extension or replacement of the payroll system", 22) == "Extension\u2026"
    assert truncate("Supercalifragilistic", 12) == "Supercalifr\u2026"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Replacement HR and payroll system", "Replacement HR\u2026"),
        ("Repairs and maintenance of the boilers", "Repairs and maintenance\u2026"),
        ("Grounds maintenance & arboriculture", "Grounds maintenance\u2026"),
        ("Vans for the in-house teams, leased", "Vans for the in-house\u2026"),
    ],
)
def test_a_cut_text_ends_in_no_loose_word(text: str, kept: str) -> None:
    assert truncate(text, len(kept) + 5) == kept


def test_the_strongest_come_first_and_none_is_lost() -> None:
    items = [
        opportunity_view(
            state(side(LEEDS), side(f"E0600{n:04d}"), score=float(n)), LEEDS, "digest", "new", "Council", None
        )
        for n in range(40)
    ]
    letter = mail_view.email_view(LEEDS, "Leeds", "digest", items, TODAY)
    (block,), ((_, brief),) = letter.blocks, letter.brief
    assert len(block.rows) == notification_schedule.MAX_ITEMS_IN_FULL
    told = [row.reply for row in block.rows] + [item.strength for item in brief]
    assert told == [f"Possible match, {n} out of 100" for n in range(39, -1, -1)]


@pytest.mark.parametrize(
    ("partners", "purpose", "expected"),
    [
        ([CAMDEN], "immediate", "Payroll: Camden could join you"),
        (["E08000032"], "immediate", "Payroll: Bradford could join you"),
        ([CAMDEN, "E06000001", "E06000002"], "immediate", "Payroll: 3 councils could join you"),
        ([CAMDEN, "GB-PPON-ABC"], "immediate", "Payroll: 2 authorities could join you"),
        (["GB-PPON-ABC"], "digest", "Payroll: GB-PPON-ABC may buy it too"),
        (["E08000032"], "digest", "Payroll: Bradford may buy it too"),
        (["E08000032"], "correction", "Payroll: no match with Bradford now"),
    ],
)
def test_subjects(partners: list[str], purpose: str, expected: str) -> None:
    items = [shown(state(side(LEEDS, title="Payroll"), side(code))) for code in partners]
    assert mail_view.email_view(LEEDS, "Leeds", purpose, items, TODAY).headline.subject == expected


def test_a_long_name_becomes_a_number_in_the_subject() -> None:
    one = shown(
        state(side(LEEDS, title="Payroll"), side("GB-PPON-ABC")), partner="Purchasing Consortium of the North East"
    )
    assert (
        mail_view.email_view(LEEDS, "Leeds", "digest", [one], TODAY).headline.subject
        == "Payroll: 1 authority may buy it too"
    )


@given(st.text(max_size=200), st.text(min_size=1, max_size=80), st.integers(1, 30), st.sampled_from(PURPOSES))
def test_a_subject_fits_and_begins_with_the_readers_plan(title: str, partner: str, others: int, purpose: str) -> None:
    items = [
        shown(state(side(LEEDS, title=title or None), side(f"GB-PPON-{number}")), partner=partner)
        for number in range(others)
    ]
    subject = mail_view.email_view(LEEDS, "Leeds", purpose, items, TODAY).headline.subject
    assert len(subject) <= 60
    need = sanitise(title, 120) or "your plan ICT-0042"
    assert subject.startswith(need[: min(12, len(need))].rstrip(" ,;:-"))


def test_headers() -> None:
    mail = composed(shown())
    assert mail["Message-ID"] == f"<{'m' * 32}@jointly.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"].strip() == "<mailto:jointly@jointly.example?subject=Stop%20mails%20to%20E08000035>"
    assert "List-Unsubscribe-Post" not in mail
    with_url = composed(
        shown(), who=email_message.sender("Jointly <jointly@jointly.example>", "https://jointly.example/me")
    )
    assert with_url["List-Unsubscribe"].endswith(", <https://jointly.example/me>")
    assert 'href="https://jointly.example/me"' in bodies(with_url)[1]
    assert "http" not in "".join(bodies(mail)), "without a public address there is no link"


@pytest.mark.parametrize("wrong", ["", "Jointly", "a@b@c.example", "Jointly <no-domain@>", "x@localhost"])
def test_a_sender_must_be_a_mailbox(wrong: str) -> None:
    with pytest.raises(AddressError):
        email_message.sender(wrong)


def test_words() -> None:
    assert format_date(date(2027, 3, 1)) == "1 March 2027"
    one = date(2027, 3, 1)
    assert phrases.format_date_range(Window(earliest=one, latest=one)) == "on 1 March 2027"
    assert join_words(["a"], 3) == "a"
    assert join_words(["a", "b"], 3) == "a and b"
    assert join_words(["a", "b", "c", "d", "e"], 3) == "a, b, c and 2 more"
    assert join_words([], 3) == ""
    assert phrases.places(("TLI", "TLI", "ZZ")) == "London and ZZ"
