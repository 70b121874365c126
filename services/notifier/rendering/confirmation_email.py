"""The email that asks whether plans are still true: its content. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from matching.text.formatting import format_date
from services.domain.disclosure import read_facts
from services.notifier.rendering.councils import months, reference
from services.notifier.rendering.headline import Headline
from services.notifier.rendering.phrases import count_words
from services.notifier.rendering.plain_text import sanitise
from services.store.plan_confirmations import UnconfirmedPlan

MAX_PLANS: Final = 20
"""An email lists at most this many plans; the page lists all."""


@dataclass(frozen=True, slots=True)
class ConfirmationLetter:
    """The content of one email. `link`: the page that confirms the plans, if there is one."""

    authority: str
    name: str
    headline: Headline
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
    title = sanitise(read_facts(plans[0].state).title) or plans[0].plan_id
    which = title if one else f"{len(plans)} of your plans"
    opening = "One of your plans has" if one else f"{count_words(len(plans)).capitalize()} of your plans have"
    return ConfirmationLetter(
        authority=authority,
        name=sanitise(name, 80),
        headline=Headline(which, ": still true?"),
        opening=f"{opening} not changed for six months. Other councils plan with what you share.",
        plans=tuple(_line(plan) for plan in plans[:MAX_PLANS]),
        commands=tuple(f"jointly confirm {plan.plan_id}" for plan in plans[:MAX_PLANS]),
        more=max(0, len(plans) - MAX_PLANS),
        link=link,
        signed_on=format_date(signed_on) if signed_on else None,
    )


def _line(plan: UnconfirmedPlan) -> str:
    facts = read_facts(plan.state)
    title = sanitise(facts.title, 120) or "A plan without a title"
    window = months(facts.tender_window)
    return f"{title} ({reference(plan.plan_id)}), tender {window}; last sent {format_date(plan.last_sent)}"
