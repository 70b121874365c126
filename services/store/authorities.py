"""The register of authorities: who takes part, the role mailbox of each, and which notifications each one wants.

The database stores no person: of a signatory of the charter only the position, and only addresses of roles. An address
leaves the database only as the recipient of an email, or as the contact of an opportunity that both sides share openly.
"""

import re
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, Literal

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.database import assign, in_array, now, timestamp

Subject = Literal["partner", "opportunity"]

_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ACCENTS: Final = frozenset("\u0300\u0301\u0302\u0308")
"""Grave, acute, circumflex and diaeresis: the accents of Welsh."""
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class AddressError(ValueError):
    """The address is not one valid mailbox. The message gives the reason and never repeats the address."""


class Authority(SQLModel, table=True):
    """One authority. `mailbox` is null until the authority names one; `mailbox_ref` identifies it outside this table.

    `immediate` and `digest` switch the two kinds of email about matches on and off. `confirmations` switches the one
    that asks whether plans are still true, last sent on `confirmation_asked_on`. `benchmarks` switches those about
    prices and extensions, `coalitions` those about groups. `paused_until` withholds all until that day but receipts.
    """

    __tablename__ = "authorities"

    authority: str = Field(primary_key=True)
    name: str
    mailbox: str | None = Field(default=None)
    mailbox_ref: str
    immediate: bool = Field(default=True)
    digest: bool = Field(default=True)
    confirmations: bool = Field(default=True)
    benchmarks: bool = Field(default=True)
    coalitions: bool = Field(default=True)
    confirmation_asked_on: date | None = Field(default=None)
    paused_until: date | None = Field(default=None)
    signed_on: date | None = Field(default=None)
    lapsed_on: date | None = Field(default=None)
    withdrawn_on: date | None = Field(default=None)
    signatory: str | None = Field(default=None, description="the position of whoever signed, never a name")
    created_at: datetime = Field(sa_column=timestamp())
    updated_at: datetime = Field(sa_column=timestamp())

    def takes_part(self, on: date) -> bool:
        """Whether the authority has not withdrawn by this day: from then on it is sent nothing and reads nothing."""
        return self.withdrawn_on is None or self.withdrawn_on > on

    def is_signatory(self, on: date) -> bool:
        """Whether the authority's signature of the Charter counts on this day."""
        signed = self.signed_on is not None and self.signed_on <= on
        return signed and (self.lapsed_on is None or self.lapsed_on > on) and self.takes_part(on)

    def is_paused(self, today: date) -> bool:
        """Return whether the authority wants no email yet."""
        return self.paused_until is not None and self.paused_until > today


class Mute(SQLModel, table=True):
    """A mute: an authority wants no notifications about one partner, or about one opportunity."""

    __tablename__ = "authority_mutes"

    authority: str = Field(primary_key=True, foreign_key="authorities.authority", ondelete="CASCADE")
    kind: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)


@dataclass(frozen=True, slots=True)
class Mutes:
    """The partners (authority codes) and opportunities (ids) that one authority has muted."""

    partners: frozenset[str] = frozenset()
    opportunities: frozenset[str] = frozenset()

    def includes(self, partner: str, opportunity_id: str) -> bool:
        """Return whether the authority has muted this partner or this opportunity."""
        return partner in self.partners or opportunity_id in self.opportunities


def is_muted_between(mutes: Mapping[str, Mutes], one: str, other: str) -> bool:
    """Whether one of two authorities has muted the other. `mutes`: those of both, by authority."""
    return other in mutes.get(one, Mutes()).partners or one in mutes.get(other, Mutes()).partners


@dataclass(frozen=True, slots=True)
class AuthorityUpdate:
    """Changes to one authority. `fields` maps Authority's columns to new values; other columns keep theirs.

    `partners` and `opportunities` replace the mutes of that kind; None keeps them.
    """

    authority: str
    fields: Mapping[str, Any]
    partners: frozenset[str] | None = None
    opportunities: frozenset[str] | None = None


def valid_mailbox(text: str) -> str:
    """Return the address of exactly one mailbox, its domain in lower-case ASCII (IDNA). Raises AddressError."""
    if len(text) > 254:
        raise AddressError("is longer than 254 characters")
    if any(ord(c) < 33 or ord(c) == 127 for c in text):
        raise AddressError("holds spaces, line breaks or control characters")
    if any(c in text for c in ',;<>()[]"\\'):
        raise AddressError("must be one bare address such as procurement@council.example, without name or brackets")
    local, at, domain = text.rpartition("@")
    if not at or "@" in local:
        raise AddressError("must hold exactly one @")
    if not _LOCAL.fullmatch(local) or len(local) > 64:
        raise AddressError("has a part before the @ that is not plain letters, digits, dots and hyphens")
    return f"{local}@{_ascii_domain(domain)}"


def _ascii_domain(domain: str) -> str:
    if _has_homograph(domain):
        raise AddressError("has a domain with letters that look like others; only a to z and Welsh accents are taken")
    try:
        plain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise AddressError("has a domain that is not valid") from None
    labels = plain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise AddressError("has a domain that is not valid; expected one such as council.example")
    return plain


def _has_homograph(domain: str) -> bool:
    """Return whether a domain label, as displayed, holds characters other than ASCII and Welsh accented letters.

    A Cyrillic `a` or a dotless `i` would make a foreign domain look the same as a council's.
    """
    try:
        # Lower case first: Python's decoder knows the prefix xn-- in lower case only.
        labels = (label.lower() if label.isascii() else label for label in domain.split("."))
        shown = [label.encode("ascii").decode("idna") if label.isascii() else label for label in labels]
    except UnicodeError:
        return False  # The IDNA conversion rejects this label and reports it.
    seen = unicodedata.normalize("NFC", "".join(shown))
    return not all(character.isascii() or _is_accented(character) for character in seen)


def _is_accented(character: str) -> bool:
    parts = unicodedata.normalize("NFD", character)
    return parts[0].isascii() and parts[0].isalpha() and _ACCENTS.issuperset(parts[1:])


class SaveResult(StrEnum):
    """The effect of writing one entry of a register."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


async def forget_mailbox(session: AsyncSession, authority: str) -> None:
    """Remove the mailbox of an authority. The authority stays in the register, visibly without a mailbox."""
    statement = update(Authority).where(col(Authority.authority) == authority)
    await session.execute(statement.values(mailbox=None, updated_at=now()))


async def save(session: AsyncSession, entry: AuthorityUpdate) -> tuple[SaveResult, bool]:
    """Write one authority. Returns the kind of change, and whether the mailbox changed and so has a new opaque
    reference."""
    row = await lock(session, entry.authority)
    fields = dict(entry.fields)
    if row is None:
        fields.setdefault("name", entry.authority)
        row = Authority(
            authority=entry.authority, mailbox_ref=uuid.uuid4().hex, created_at=now(), updated_at=now(), **fields
        )
        session.add(row)
        await session.flush()
        await _replace_mutes(session, entry)
        return SaveResult.ADDED, row.mailbox is not None
    different = {name: value for name, value in fields.items() if getattr(row, name) != value}
    assign(row, different)
    other_mailbox = "mailbox" in different
    if other_mailbox:
        row.mailbox_ref = uuid.uuid4().hex
    muted = await _replace_mutes(session, entry)
    if not different and not muted:
        return SaveResult.UNCHANGED, False
    row.updated_at = now()
    return SaveResult.CHANGED, other_mailbox and row.mailbox is not None


async def _replace_mutes(session: AsyncSession, entry: AuthorityUpdate) -> bool:
    wanted: dict[Subject, frozenset[str] | None] = {"partner": entry.partners, "opportunity": entry.opportunities}
    before = (await mutes_of(session, [entry.authority])).get(entry.authority, Mutes())
    had: dict[Subject, frozenset[str]] = {"partner": before.partners, "opportunity": before.opportunities}
    changed = False
    for kind, subjects in wanted.items():
        if subjects is None or subjects == had[kind]:
            continue
        changed = True
        await session.execute(
            delete(Mute).where(
                col(Mute.authority) == entry.authority,
                col(Mute.kind) == kind,
                col(Mute.subject).in_(had[kind] - subjects),
            )
        )
        for subject in sorted(subjects - had[kind]):
            await mute(session, entry.authority, kind, subject)
    return changed


async def mute(session: AsyncSession, authority: str, kind: Subject, subject: str) -> None:
    """Mute a partner or an opportunity for a registered authority."""
    row = {"authority": authority, "kind": kind, "subject": subject}
    await session.execute(insert(Mute).values(**row).on_conflict_do_nothing())


async def by_codes(session: AsyncSession, codes: Sequence[str]) -> dict[str, Authority]:
    """The registered authorities among these codes."""
    rows = await session.execute(select(Authority).where(in_array(col(Authority.authority), codes)))
    return {row.authority: row for row in rows.scalars()}


async def lock(session: AsyncSession, code: str) -> Authority | None:
    """One authority, as it is now and until the transaction ends."""
    return await session.get(Authority, code, with_for_update=True)


async def mutes_of(session: AsyncSession, codes: Sequence[str]) -> dict[str, Mutes]:
    """Return the mutes of each of these authorities, without those that have none."""
    rows = await session.execute(select(Mute).where(in_array(col(Mute.authority), codes)))
    found: dict[str, dict[str, set[str]]] = {}
    for row in rows.scalars():
        found.setdefault(row.authority, {"partner": set(), "opportunity": set()})[row.kind].add(row.subject)
    return {code: Mutes(frozenset(kinds["partner"]), frozenset(kinds["opportunity"])) for code, kinds in found.items()}


async def all_mutes(session: AsyncSession) -> dict[str, Mutes]:
    """Return the mutes of every authority."""
    return await mutes_of(session, [row.authority for row in await all_authorities(session)])


async def all_authorities(session: AsyncSession) -> Sequence[Authority]:
    """Return the whole register, by code."""
    return (await session.execute(select(Authority).order_by(col(Authority.authority)))).scalars().all()
