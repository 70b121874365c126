"""No email program finds anything to click on in somebody else's words: held against other people's link finders."""

import re
import unicodedata

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from linkify_it import LinkifyIt
from linkify_it.tlds import TLDS

from services.notifier.rendering.plain_text import EMAIL, LINK, TELEPHONE, sanitise

# As greedy as an email program at its worst: every top-level domain there is, IP addresses, mailboxes, `//host`.
FINDER = LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": True, "fuzzy_ip": True}).tlds(TLDS)
SCHEMES = re.compile(r"(?i)[a-z][a-z0-9+.-]*:(?=[^\s\d])|//|\\\\|\bwww\.\S")
DOMAIN = re.compile(r"[^\W\d_]\w*[.\u3002\uff0e\uff61\u2024\ufe52][^\W\d_]", re.UNICODE)
REGIONS = ("GB", "IE", "US")


def clickable(text: str) -> list[str]:
    """Whatever in a text somebody's link finder makes a link of."""
    links = [match.raw for match in FINDER.match(text) or ()]
    numbers = [match.raw_string for region in REGIONS for match in phonenumbers.PhoneNumberMatcher(text, region)]
    return [*links, *numbers, *SCHEMES.findall(text), *DOMAIN.findall(text), *re.findall(r"\S@\S", text)]


STOPS = st.sampled_from([".", "\u3002", "\uff0e", "\uff61", "\u2024", "\ufe52", ".\u200b", "\u00ad."])
WORDS = st.sampled_from(
    ["evil", "leeds-gov", "пример", "例え", "bücher", "xn--e1afmkfd", "a", "x1", "paypa\u0301l", "ＥＶＩＬ"]
)
ENDINGS = st.sampled_from(["com", "co", "uk", "zip", "museum", "рф", "みんな", "onion", "xn--p1ai", "phd", "ｃｏｍ"])
DOMAINS = st.builds(lambda *parts: "".join(parts), WORDS, STOPS, WORDS, STOPS, ENDINGS) | st.builds(
    lambda *parts: "".join(parts), WORDS, STOPS, ENDINGS
)
DIGITS = st.sampled_from(["0123456789", "٠١٢٣٤٥٦٧٨٩", "０１２３４５６７８９"])
GAPS = st.sampled_from(["", " ", "-", ".", " - ", "\u2011", "\u00a0", "(0)", "/", "\uff0d"])


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A telephone number of some country, in somebody's digits and with somebody's gaps."""
    region = draw(st.sampled_from(REGIONS))
    kind = draw(st.sampled_from([phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE]))
    number = phonenumbers.example_number_for_type(region, kind)
    form = draw(st.sampled_from([0, 1, 2, 3]))
    digits, gap = draw(DIGITS), draw(GAPS)
    written = phonenumbers.format_number(number, form).replace("tel:", "")
    return "".join(digits[int(c)] if c.isdigit() else gap if c == " " else c for c in written)


ADDRESSES = st.one_of(
    DOMAINS,
    st.builds("{}://{}/x".format, st.sampled_from(["http", "HTTPS", "ftp", "ms-word", "x"]), DOMAINS),
    st.builds("{}:{}".format, st.sampled_from(["mailto", "tel", "sms", "javascript", "skype", "data"]), DOMAINS),
    st.builds("{}{}".format, st.sampled_from(["//", "\\\\", "／／", "\\\\\\\\", "∕∕", "/\\"]), WORDS),
    st.builds("\\\\{}\\share".format, WORDS),
    st.builds("{}{}{}".format, WORDS, st.sampled_from(["@", "＠", "﹫"]), DOMAINS | WORDS),
    st.sampled_from(["192.168.0.1", "10.1.2.3:8080/x", "[2001:db8::1]", "localhost:80/x", "www.x", "ｗｗｗ．x.y"]),
    numbers(),
)
TEXTS = st.lists(ADDRESSES | st.text(max_size=20) | st.sampled_from([" ", "(", ")", ",", "see", "\n"]), max_size=6)


@settings(max_examples=500)
@given(TEXTS.map("".join))
@example("call 0113 222 4444 or (0113) 222-4444")
@example("evil.\u0301com and evil\u3002com")
@example("£0113 222 4444")
def test_nothing_can_be_clicked_on(text: str) -> None:
    said = sanitise(text, 10_000)
    assert clickable(said.replace(EMAIL, "gone").replace(LINK, "gone").replace(TELEPHONE, "gone")) == []


@settings(max_examples=500)
@given(TEXTS.map("".join), st.integers(20, 200))
def test_it_is_one_visible_line_of_bounded_length_and_stays_so(text: str, limit: int) -> None:
    said = sanitise(text, limit)
    assert len(said) <= limit
    assert all(unicodedata.category(c)[0] != "C" and c not in "\r\n\u2028\u2029" for c in said)


@pytest.mark.parametrize(
    "text",
    [
        "Replacement of the HR and payroll system (CPV 48450000)",
        "Their CPV codes differ (48450000 and 72000000-5).",
        "Together worth £1,250,000 (£250,000 and £1,000,000).",
        "Lot 2: £1.5m to £2.5m, version 10.2.1, 99.95% a month, at 10:30",
        "St. Helens Council, 01/04/2027 - 31/03/2031 (2027/28 to 2030-31), from 2027-03-01.",
        "Adults' and children's services and/or day care...",
        "£1250000 over 48 months",
    ],
)
def test_what_plans_say_stays_as_it_is(text: str) -> None:
    assert sanitise(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("See evil.com/login", "See evil. com/login"),
        ("ASP.NET, Node.js and GOV.UK Notify", "ASP. NET, Node. js and GOV. UK Notify"),
        ("ask jo.bloggs@leeds.gov.uk", f"ask {EMAIL}"),
        ("Care@Home", "Care at Home"),
        ("https://evil.example/x", LINK),
        ("ring 0113 222 4444", f"ring {TELEPHONE}"),
        ("ring 08001111", f"ring {TELEPHONE}"),
        ("\\\\server\\share or //server/share", "\\server\\share or /server/share"),
        ("10.0.0.1", "10. 0. 0. 1"),
        ("tel:999", "tel: 999"),
    ],
)
def test_what_could_be_clicked_on_is_parted_or_removed(text: str, said: str) -> None:
    assert sanitise(text) == said
