"""Links that emails carry: signed, for one purpose, one authority and one subject. Opening one changes nothing. Pure.

A link may be opened as often as its reader likes. It ends after 60 days, and with the mailbox that it was sent to.
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
    """What a link lets its reader do."""

    ANSWER = "answer"
    STOP = "stop"
    CONFIRM = "confirm"


class LinkError(ValueError):
    """A link that opens nothing (any more); the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link stands for. `mailbox_ref`: the register's reference of the mailbox that the link goes to.

    `subject`: the id of a coalition or an opportunity; of a stop link, the kind of email; of a confirm link, nothing.
    """

    purpose: LinkPurpose
    authority: str
    subject: str
    mailbox_ref: str


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """A link with a valid signature, still to be held against the mailbox that the authority has now."""

    authority: str
    subject: str
    mailbox_mark: str

    def require_mailbox(self, mailbox_ref: str | None) -> None:
        """Raises LinkError where the authority's mailbox is another one now."""
        if mailbox_ref is None or mailbox_mark(mailbox_ref) != self.mailbox_mark:
            raise LinkError("Your council has changed its mailbox since. Use the newest email, or sign in.")


def make_token(secrets: Sequence[str], link: Link, today: date) -> str:
    """The token of a link. `secrets`: newest first, which is the one that signs."""
    content = [link.authority, link.subject, mailbox_mark(link.mailbox_ref), today.toordinal()]
    return str(_serializer(secrets, link.purpose).dumps(content))


def open_token(secrets: Sequence[str], purpose: LinkPurpose, token: str, today: date) -> OpenedLink:
    """What a token stands for. Raises LinkError where it is forged, for another purpose, or too old."""
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
    """What stands in a link for a mailbox's reference, which itself stays inside."""
    return sha256(mailbox_ref.encode()).hexdigest()[:16]


def _serializer(secrets: Sequence[str], purpose: LinkPurpose) -> URLSafeSerializer:
    # The library wants the newest last.
    return URLSafeSerializer(list(reversed(secrets)), salt=f"jointly-link-{purpose.value}")


@dataclass(frozen=True, slots=True)
class LinkMaker:
    """Makes the addresses that emails carry. `base`: where the pages are, without a slash at the end."""

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

    def stop(self, authority: str, kind: str, mailbox_ref: str, today: date) -> str:
        """The page on which an authority pauses or stops emails; `kind` is the one that the email is of."""
        link = Link(LinkPurpose.STOP, authority, kind, mailbox_ref)
        return f"{self.base}/s/{make_token(self.secrets, link, today)}"
