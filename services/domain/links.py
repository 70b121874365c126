"""Signed links in emails, each for one purpose, authority and subject. Opening one changes nothing. Pure.

A link may be opened any number of times. It expires after 60 days, or when the authority changes its mailbox.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from itsdangerous import BadData, URLSafeSerializer

LINK_DAYS: Final = 60
MAX_TOKEN: Final = 400


class LinkPurpose(StrEnum):
    """The purpose of a link."""

    ANSWER = "answer"
    STOP = "stop"
    CONFIRM = "confirm"
    ENQUIRY = "enquiry"


class LinkError(ValueError):
    """A link that is invalid or has expired; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Link:
    """The content of a link. `mailbox_ref`: the register's reference of the mailbox that the link is sent to.

    `subject`: the id of a coalition, an opportunity or a benchmark request; of a stop link, the kind of email; of a
    confirm link, nothing.
    """

    purpose: LinkPurpose
    authority: str
    subject: str
    mailbox_ref: str


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """A link with a valid signature. Its mailbox still has to be compared with the authority's current one."""

    authority: str
    subject: str
    mailbox_mark: str

    def require_mailbox(self, mailbox_ref: str | None) -> None:
        """Raise LinkError if the authority's mailbox has changed."""
        if mailbox_ref is None or mailbox_mark(mailbox_ref) != self.mailbox_mark:
            raise LinkError("Your council has changed its mailbox since. Use the newest email, or sign in.")


def make_token(secrets: Sequence[str], link: Link, today: date) -> str:
    """Create the token of a link. `secrets` come newest first; the newest signs."""
    content = [link.authority, link.subject, mailbox_mark(link.mailbox_ref), today.toordinal()]
    return str(_serializer(secrets, link.purpose).dumps(content))


def open_token(secrets: Sequence[str], purpose: LinkPurpose, token: str, today: date) -> OpenedLink:
    """Read a token. Raises LinkError if it is forged, for another purpose, or expired."""
    try:
        if len(token) > MAX_TOKEN:
            raise BadData("too long")
        authority, subject, mark, made_on = _serializer(secrets, purpose).loads(token)
        made = date.fromordinal(made_on)
    except (BadData, ValueError, TypeError):
        raise LinkError("It may be incomplete: copy the whole link from the email, or sign in.") from None
    if today > made + timedelta(days=LINK_DAYS):
        raise LinkError(f"Links in emails work for {LINK_DAYS} days. Use the newest email, or sign in.")
    return OpenedLink(authority, subject, mark)


def mailbox_mark(mailbox_ref: str) -> str:
    """The hash that a link carries instead of the mailbox's reference, which stays internal."""
    return sha256(mailbox_ref.encode()).hexdigest()[:16]


def _serializer(secrets: Sequence[str], purpose: LinkPurpose) -> URLSafeSerializer:
    # The library expects the newest key last.
    return URLSafeSerializer(list(reversed(secrets)), salt=f"jointly-link-{purpose.value}")


@dataclass(frozen=True, slots=True)
class LinkMaker:
    """Builds the addresses in emails. `base`: the address of the pages, without a trailing slash."""

    base: str
    secrets: tuple[str, ...]

    def answer(self, authority: str, subject_id: str, mailbox_ref: str, today: date) -> str:
        """The page on which an authority answers about a coalition or an opportunity."""
        link = Link(LinkPurpose.ANSWER, authority, subject_id, mailbox_ref)
        return f"{self.base}/g/{make_token(self.secrets, link, today)}"

    def confirm(self, authority: str, mailbox_ref: str, today: date) -> str:
        """The page on which an authority says which of its plans are still true."""
        link = Link(LinkPurpose.CONFIRM, authority, "", mailbox_ref)
        return f"{self.base}/still/{make_token(self.secrets, link, today)}"

    def enquiry(self, authority: str, request_id: str, mailbox_ref: str, today: date) -> str:
        """The page on which an authority says whether it shares its prices."""
        link = Link(LinkPurpose.ENQUIRY, authority, request_id, mailbox_ref)
        return f"{self.base}/q/{make_token(self.secrets, link, today)}"

    def stop(self, authority: str, kind: str, mailbox_ref: str, today: date) -> str:
        """The page on which an authority pauses or stops emails. `kind`: the kind of the email that has the link."""
        link = Link(LinkPurpose.STOP, authority, kind, mailbox_ref)
        return f"{self.base}/s/{make_token(self.secrets, link, today)}"
