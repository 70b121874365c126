"""Addresses and the register's CSV file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.application.authority_csv import COLUMNS, read, to_csv
from services.application.csv_cells import defuse, undefuse
from services.application.csv_table import FileError, Problem
from services.notifier.channels import smtp_from_url
from services.store.authorities import AddressError, Authority, AuthorityUpdate, Mutes, valid_mailbox
from services.store.database import now


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("procurement@leeds.example", "procurement@leeds.example"),
        ("Buying.Team+joint@Camden.Example", "Buying.Team+joint@camden.example"),
        ("caffael@sir-gâr.example", "caffael@xn--sir-gr-0ta.example"),
        ("einkauf@städte.example", "einkauf@xn--stdte-hra.example"),
        ("caffael@XN--SIR-GR-0TA.example", "caffael@xn--sir-gr-0ta.example"),
        ("o'neill@council.example", "o'neill@council.example"),
    ],
)
def test_mailboxes(given_: str, kept: str) -> None:
    assert valid_mailbox(given_) == kept


WRONG = [
    "", "plain", "@council.example", "a@", "a@b@council.example", "a b@council.example", "a@council.example\n",
    "a@council.example\r\nBcc: b@evil.example", "a@x.example,b@x.example", "a@x.example;b@x.example",
    "Team <a@council.example>", "a..b@council.example", ".a@council.example", "a@localhost", "a@council..example",
    "a@-council.example", "a@[127.0.0.1]", "a@127.0.0.1", '"a b"@council.example', "a\x00@council.example",
    "a@cаmden.example", "a@leedѕ.example", "a@xn--cmden-3ve.example", "a@counc\u0131l.example", "a@ｌeeds.example",
    "a@XN--E1AFMKFD.example", "a@Xn--cmden-3ve.Example", "a@xN--e1afmkfd.co.uk", "a@leeds.XN--P1AI",
    "a@leeds。example", "a@ḷeeds.example", "a@leeds.exαmple", "a@\u0301council.example", "a@straße.example",
    "x" * 65 + "@council.example", "a@" + "x" * 250 + ".example", "a(comment)@council.example", "ä@council.example",
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_mailbox(wrong: str) -> None:
    with pytest.raises(AddressError) as error:
        valid_mailbox(wrong)
    assert not wrong or wrong not in str(error.value), "the message repeats no address"


@given(st.text(max_size=80))
def test_whatever_is_accepted_is_one_line_with_one_at(text: str) -> None:
    try:
        kept = valid_mailbox(text)
    except AddressError:
        return
    assert kept.isascii()
    assert kept.count("@") == 1
    assert not set(kept) & set('\r\n\t ,;<>"')


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "'=", "''+", "=HYPERLINK(1)"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(start: str) -> None:
    cell = f"{start}cmd|' /C calc'!A0"
    assert defuse(cell) == f"'{cell}"
    assert undefuse(defuse(cell)) == cell


@given(st.text(max_size=20))
def test_cells_come_back_as_they_were_and_none_is_a_formula(cell: str) -> None:
    assert undefuse(defuse(cell)) == cell
    assert not defuse(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_an_exported_register_is_imported_as_it_was() -> None:
    row = Authority(
        authority="E08000035", name='=HYPERLINK("https://evil.example")', mailbox="+a@leeds.example", mailbox_ref="x",
        created_at=now(), updated_at=now(),
    )  # fmt: skip
    text = to_csv([row], {})
    assert ",\"'=HYPERLINK(" in text
    assert ",'+a@leeds.example," in text
    (entry,) = read(text)
    assert isinstance(entry, AuthorityUpdate)
    assert (entry.fields["name"], entry.fields["mailbox"]) == (row.name, row.mailbox)


def test_codes_that_differ_in_case_are_one_authority() -> None:
    found = list(read("authority,mailbox\ne08000035,a@leeds.example\nE08000035,b@leeds.example\n"))
    assert isinstance(found[0], AuthorityUpdate)
    assert found[0].authority == "E08000035"
    assert isinstance(found[1], Problem)
    assert found[1].field == "authority"


def test_a_file_is_read_line_by_line() -> None:
    found = list(
        read(
            "Authority, mailbox ,immediate,paused_until,muted_partners\n"
            "E08000035,procurement@leeds.example,no,2027-01-04,E09000007;E09000008\n"
            "E09000007,not-an-address,yes,,\n"
            "nobody!,a@b.example,yes,,\n"
            "E09000008,,maybe,,\n"
            "E09000009,,,4 January,\n"
            "E09000010,a@b.example\n"
            "E09000011,a@b.example,yes,,,extra\n"
            "E08000035,other@leeds.example,yes,,\n"
            "E09000012,,yes,,\n"
        )
    )
    entries = [item for item in found if isinstance(item, AuthorityUpdate)]
    assert [entry.authority for entry in entries] == ["E08000035", "E09000012"]
    assert entries[0].fields["immediate"] is False
    assert entries[0].partners == {"E09000007", "E09000008"}
    assert entries[0].opportunities is None, "a column that is left out changes nothing"
    assert entries[1].fields["mailbox"] is None
    problems = [item for item in found if isinstance(item, Problem)]
    assert [(problem.line, problem.field) for problem in problems] == [
        (3, "mailbox"), (4, "authority"), (5, "immediate"), (6, "paused_until"), (7, "immediate"), (8, "line"),
        (9, "authority"),
    ]  # fmt: skip
    assert not [problem for problem in problems if "@b.example" in problem.reason or "not-an" in problem.reason]


@pytest.mark.parametrize(
    "text", ["", "name,mailbox\n", "authority,telephone\n", "authority,authority\n", "E08000035,a@b.example\n"]
)
def test_a_wrong_header_refuses_the_file(text: str) -> None:
    with pytest.raises(FileError, match="header line"):
        list(read(text))


def test_a_line_that_is_not_csv_is_reported() -> None:
    found = list(read('authority,name\nE08000035,"Leeds" x\nE09000007,Camden\n'))
    assert isinstance(found[0], Problem)
    assert isinstance(found[-1], AuthorityUpdate)


def test_an_empty_name_becomes_the_known_one() -> None:
    (entry,) = read("authority,name\nE08000035,\n")
    assert isinstance(entry, AuthorityUpdate)
    assert "Leeds" in entry.fields["name"]


def test_what_is_written_reads_the_same() -> None:
    row = Authority(
        authority="E08000035", name='Leeds, "the" council', mailbox="a@leeds.example", mailbox_ref="x",
        immediate=False, created_at=now(), updated_at=now(),
    )  # fmt: skip
    text = to_csv([row], {"E08000035": Mutes(frozenset(["E09000007"]), frozenset(["0" * 32]))})
    (entry,) = read(text)
    assert isinstance(entry, AuthorityUpdate)
    assert {name: getattr(row, name) for name in entry.fields} == dict(entry.fields)
    assert (entry.partners, entry.opportunities) == ({"E09000007"}, {"0" * 32})
    assert set(COLUMNS) == set(text.splitlines()[0].split(","))


def test_a_mail_servers_url() -> None:
    plain = smtp_from_url("smtp://mail.example")
    assert (plain.host, plain.port, plain.use_tls, plain.start_tls, plain.username) == (
        "mail.example", 25, False, None, None,
    )  # fmt: skip
    secret = smtp_from_url("smtp://jointly:p%40ss@mail.example:2525")
    assert (secret.password, secret.start_tls) == ("p@ss", True), "a password only ever travels over TLS"
    assert "p@ss" not in repr(secret)
    assert smtp_from_url("smtp://u:p@127.0.0.1:25").start_tls is None
    assert smtp_from_url("smtp://mail.example?starttls=require").start_tls is True
    tls = smtp_from_url("smtps://u:p@mail.example")
    assert (tls.use_tls, tls.start_tls, tls.port) == (True, None, 465)
