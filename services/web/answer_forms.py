"""Carries an answer from page to page, in form fields and the address, and finally into the event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from events.responses import AnswerKind
from services.web import answer_texts as texts
from services.web.forms import Form

_DATES: Final = {"earliest": "the first day", "latest": "the last day", "remind": "the day"}


@dataclass(frozen=True, slots=True)
class EnteredAnswer:
    """The values that a person entered. `reason` is empty if they prefer not to say."""

    answer: str
    reason: str = ""
    share_reason: bool = False
    earliest: date | None = None
    latest: date | None = None
    remind: date | None = None

    @property
    def values(self) -> Mapping[str, Any]:
        """The fields of the response event."""
        window = {"earliest": self.earliest, "latest": self.latest} if self.earliest and self.latest else None
        return {
            "answer": self.answer,
            "reason": self.reason or None,
            "share_reason": self.share_reason,
            "window": window,
            "remind_on": self.remind,
        }

    @property
    def fields(self) -> dict[str, str]:
        """The form fields for the next page."""
        found = {"answer": self.answer}
        if self.answer in texts.REASONS:
            found["reason"] = self.reason or texts.NO_REASON
            found |= {"share_reason": "yes"} if self.share_reason else {}
        for name in _DATES:
            day = getattr(self, name)
            if day is not None:
                found |= {f"{name}-day": str(day.day), f"{name}-month": str(day.month), f"{name}-year": str(day.year)}
        return found

    @property
    def reason_text(self) -> str:
        """The reason as people read it."""
        return texts.REASONS[self.answer][self.reason or texts.NO_REASON] if self.answer in texts.REASONS else ""


def read_answered(form: Form) -> EnteredAnswer:
    """Read the answer; invalid fields are in `form.errors`."""
    answer = form.choice("answer", texts.ANSWERS, "Choose your answer")
    if answer == AnswerKind.OTHER_DATES:
        return _with_dates(form)
    if answer == AnswerKind.LATER:
        return EnteredAnswer(answer, remind=form.day("remind", "the day on which we should ask again"))
    if answer in texts.REASONS:
        reason = form.choice("reason", texts.REASONS[answer], "Choose a reason, or that you would rather not say")
        shared = (
            answer == AnswerKind.NOT_THIS_TIME and form.sent.get("share_reason") == "yes" and reason != texts.NO_REASON
        )
        return EnteredAnswer(answer, "" if reason == texts.NO_REASON else reason, shared)
    return EnteredAnswer(answer)


def _with_dates(form: Form) -> EnteredAnswer:
    earliest, latest = form.span("you could go to tender") or (None, None)
    return EnteredAnswer("other-dates", earliest=earliest, latest=latest)
