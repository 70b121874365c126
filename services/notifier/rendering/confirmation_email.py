"""The email that asks whether plans are still true: its content, and the message. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from functools import partial
from typing import Final
from urllib.parse import quote

from matching.text.formatting import day_text
from services.domain.disclosure import read_facts
from services.notifier.rendering.councils import months, reference
from services.notifier.rendering.email_message import Sender, add_headers, environment
from services.notifier.rendering.phrases import count_words
from services.notifier.rendering.plain_text import sanitise, truncate
from services.store.plan_confirmations import UnconfirmedPlan

MAX_PLANS: Final = 20
"""An email lists at most this many plans; the page lists all."""
_TITLE_IN_SUBJECT: Final = 42


@dataclass(frozen=True, slots=True)
class ConfirmationLetter:
    """The content of one email. `link`: the page that confirms the plans, if there is one."""

    authority: str
    name: str
    subject: str
    opening: str
    plans: tuple[str, ...]
    commands: tuple[str, ...]
    more: int
    link: str | None
    signed_on: str | None


def confirmation_letter(
    plans: Sequence[UnconfirmedPlan], authority: str, name: str, signed_on: date | None, link: str | None
) -> ConfirmationLetter:
    """What an authority is asked of its plans, the oldest first."""
    one = len(plans) == 1
    title = truncate(sanitise(read_facts(plans[0].state).title) or plans[0].plan_id, _TITLE_IN_SUBJECT)
    which = title if one else f"{len(plans)} of your plans"
    opening = "One of your plans has" if one else f"{count_words(len(plans)).capitalize()} of your plans have"
    return ConfirmationLetter(
        authority=authority,
        name=sanitise(name, 80),
        subject=f"{which}: still true?",
        opening=f"{opening} not changed for six months. Other councils plan with what you share.",
        plans=tuple(_line(plan) for plan in plans[:MAX_PLANS]),
        commands=tuple(f"jointly confirm {plan.plan_id}" for plan in plans[:MAX_PLANS]),
        more=max(0, len(plans) - MAX_PLANS),
        link=link,
        signed_on=day_text(signed_on) if signed_on else None,
    )


def compose(letter: ConfirmationLetter, who: Sender, recipient: str, identity: str, at: datetime) -> EmailMessage:
    """The whole message. `identity` is its Message-ID."""
    message = add_headers(who, recipient, letter.subject, letter.authority, identity, at)
    context = {"letter": letter, "sender": who.name, "reply_to": who.mailbox, "mailto": partial(quote, safe="@")}
    message.set_content(environment(False).get_template("confirmation.txt.j2").render(**context))
    message.add_alternative(environment(True).get_template("confirmation.html.j2").render(**context), subtype="html")
    return message


def _line(plan: UnconfirmedPlan) -> str:
    facts = read_facts(plan.state)
    title = sanitise(facts.title, 120) or "A plan without a title"
    window = months(facts.tender_window)
    return f"{title} ({reference(plan.plan_id)}), tender {window}; last sent {day_text(plan.last_sent)}"
