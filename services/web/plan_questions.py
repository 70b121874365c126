"""The questions about a plan, one a page: how each is read, shown again and summed up, in a plan event's fields."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from events.fields import Window
from events.limits import window_problem
from events.redaction import without_contacts
from matching.reference import cpv_label, region
from matching.text.formatting import format_date, join_words
from services.web import plan_texts as texts
from services.web.answer_texts import STAGES
from services.web.forms import Form

Fields = Mapping[str, Any]

MAX_TITLE: Final = 500
MAX_DESCRIPTION: Final = 20_000
MAX_NAME: Final = 300
MAX_CODES: Final = 50
MAX_POUNDS: Final = 10**12
_CPV: Final = re.compile(r"\d{8}(-\d)?")


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `row`: its name on the page that sums up.

    `read` gives the plan's fields from a form, None for a field that is left out. It puts problems into the form's
    errors. `refill` gives the form's fields from the plan's. `sum_up` gives the answer in words, empty for none.
    """

    slug: str
    heading: str
    row: str
    read: Callable[[Form, Fields, date], Fields]
    refill: Callable[[Fields], Mapping[str, str | Sequence[str]]]
    sum_up: Callable[[Fields], str]
    required: bool = False
    asked: Callable[[Fields], bool] = lambda _: True


def questions_for(fields: Fields) -> list[Question]:
    """The questions about a plan with these fields, in order."""
    return [question for question in QUESTIONS if question.asked(fields)]


def unanswered(fields: Fields) -> list[Question]:
    """The questions that must be answered before a plan can be published."""
    return [question for question in questions_for(fields) if question.required and not question.sum_up(fields)]


def _free_text(form: Form, name: str, limit: int, label: str = "") -> str:
    text = form.text(name, limit, label=label)
    if name not in form.errors and without_contacts(text) != text:
        form.errors[name] = "Remove the email address or telephone number: a plan names no people"
    return text


def _line(form: Form, name: str, limit: int, label: str = "") -> str:
    return " ".join(_free_text(form, name, limit, label).split())


def _read_title(form: Form, _fields: Fields, _today: date) -> Fields:
    return {"title": _line(form, "title", MAX_TITLE, "what you plan to buy")}


def _read_description(form: Form, _fields: Fields, _today: date) -> Fields:
    return {"description": _free_text(form, "description", MAX_DESCRIPTION) or None}


def _read_cpv(form: Form, _fields: Fields, _today: date) -> Fields:
    codes = list(dict.fromkeys(re.split(r"[\s,;]+", form.text("cpv", 1000).strip())))
    codes = [code for code in codes if code]
    wrong = [code for code in codes if not _CPV.fullmatch(code)]
    if wrong:
        form.errors["cpv"] = "A CPV code has eight digits, for example 48450000. Put a comma between two codes"
    elif len(codes) > MAX_CODES:
        form.errors["cpv"] = f"Enter {MAX_CODES} codes or fewer"
    return {"cpv": [code[:8] for code in codes] or None}


def _read_kind(form: Form, _fields: Fields, _today: date) -> Fields:
    kind = form.choice("kind", texts.KINDS, "Choose what kind of purchase it is")
    return {"kind": kind} if kind == "extension" else {"kind": kind, "extension": None}


def _read_extension(form: Form, _fields: Fields, _today: date) -> Fields:
    months = form.number("months", 1, 240, "the number of months")
    stated = form.choice("option_stated", texts.OPTION_STATED, "Choose whether the contract has this option")
    known = {"yes": True, "no": False}.get(stated)
    return {"extension": {"months": months, "option_stated": known} if months else None}


def _read_window(form: Form, _fields: Fields, today: date) -> Fields:
    span = form.span("the tender could be published")
    if span is None:
        return {}
    earliest, latest = span
    if latest < today:
        form.errors["latest"] = "The last day must be today or later"
    elif problem := window_problem(Window(earliest=earliest, latest=latest)):
        form.errors["earliest"] = f"The time between the two days {problem}"
    return {"tender_window": {"earliest": earliest.isoformat(), "latest": latest.isoformat()}}


def _read_choice(name: str, options: Mapping[str, str], problem: str) -> Callable[[Form, Fields, date], Fields]:
    def read(form: Form, _fields: Fields, _today: date) -> Fields:
        return {name: form.choice(name, options, problem)}

    return read


def _read_preference(form: Form, _fields: Fields, _today: date) -> Fields:
    chosen = form.choice("preference", texts.PREFERENCES, "Choose whether you would lead")
    return {"preference": chosen if chosen != texts.UNDECIDED else None}


def _read_value(form: Form, _fields: Fields, _today: date) -> Fields:
    amount = _money(form, "value")
    return {"value": {"amount": amount, "currency": "GBP"} if amount is not None else None}


def _read_contract(form: Form, fields: Fields, _today: date) -> Fields:
    before = fields.get("current_contract") or {}
    end = form.optional_day("contract_end", "the day on which it ends")
    months = form.number("extension_months", 0, 240, "the number of months", required=False)
    yearly = _money(form, "annual_value")
    now = {
        **before,
        "supplier": _line(form, "supplier", MAX_NAME),
        "product": _line(form, "product", MAX_NAME),
        "end": end.isoformat() if end else None,
        "extension_months": months or 0,
        "annual_value": {"amount": yearly, "currency": "GBP"} if yearly is not None else None,
    }
    found: dict[str, Any] = {"current_contract": now if any(now.values()) else None}
    dates = fields.get("contract") or {}
    # A plan's own contract dates stay, unless they are those of the contract that runs now.
    if not dates.get("start") and dates.get("end") in (None, before.get("end")):
        found["contract"] = {"end": now["end"], "extension_months": now["extension_months"]}
    return found


def _read_regions(form: Form, fields: Fields, _today: date) -> Fields:
    offered = texts.regions_for(fields)
    chosen = [value for value in form.sent.getlist("regions") if value in offered]
    return {"regions": chosen or None}


def _money(form: Form, name: str) -> float | None:
    text = re.sub(r"[£,\s]", "", form.text(name))
    if not text or name in form.errors:
        return None
    if not re.fullmatch(r"[0-9]{1,13}(\.[0-9]{1,2})?", text) or float(text) > MAX_POUNDS:
        form.errors[name] = "Enter the value in pounds and digits alone, for example 1200000"
        return None
    return float(text)


def _days(name: str, day: str | None) -> dict[str, str]:
    if not day:
        return {}
    when = date.fromisoformat(day)
    return {f"{name}-day": str(when.day), f"{name}-month": str(when.month), f"{name}-year": str(when.year)}


def _plain_number(value: Mapping[str, Any] | None) -> str:
    """An amount for a form's field; empty if it is unknown or in another currency."""
    if not value or value.get("currency", "GBP") != "GBP":
        return ""
    return f"{value['amount']:.2f}".removesuffix(".00")


def _refill_texts(*names: str) -> Callable[[Fields], Mapping[str, str]]:
    return lambda fields: {name: str(fields[name]) for name in names if fields.get(name)}


def _refill_window(fields: Fields) -> Mapping[str, str]:
    window = fields.get("tender_window") or {}
    return {**_days("earliest", window.get("earliest")), **_days("latest", window.get("latest"))}


def _refill_extension(fields: Fields) -> Mapping[str, str]:
    intent = fields.get("extension")
    if not intent:
        return {}
    stated = {True: "yes", False: "no", None: texts.UNDECIDED}[intent.get("option_stated")]
    return {"months": str(intent["months"]), "option_stated": stated}


def _refill_contract(fields: Fields) -> Mapping[str, str]:
    now = fields.get("current_contract") or {}
    months = now.get("extension_months") or 0
    return {
        "supplier": now.get("supplier", ""),
        "product": now.get("product", ""),
        "extension_months": str(months) if months else "",
        "annual_value": _plain_number(now.get("annual_value")),
        **_days("contract_end", now.get("end")),
    }


def _sum_up_choice(name: str, options: Mapping[str, str]) -> Callable[[Fields], str]:
    return lambda fields: options.get(fields.get(name, ""), "")


def _sum_up_window(fields: Fields) -> str:
    window = fields.get("tender_window")
    if not window:
        return ""
    return (
        f"{format_date(date.fromisoformat(window['earliest']))} to {format_date(date.fromisoformat(window['latest']))}"
    )


def _sum_up_extension(fields: Fields) -> str:
    intent = fields.get("extension")
    return f"By {intent['months']} months" if intent else ""


def _sum_up_value(fields: Fields) -> str:
    value = fields.get("value")
    return f"£{value['amount']:,.2f}".removesuffix(".00") if value else ""


def _sum_up_contract(fields: Fields) -> str:
    now = fields.get("current_contract") or {}
    said = [now.get("supplier"), now.get("product")]
    said += [f"ends on {format_date(date.fromisoformat(now['end']))}"] if now.get("end") else []
    said += [f"may be extended by {now['extension_months']} months"] if now.get("extension_months") else []
    yearly = _plain_number(now.get("annual_value"))
    said += [f"£{float(yearly):,.0f} a year"] if yearly else []
    return ", ".join(part for part in said if part)


def _sum_up_regions(fields: Fields) -> str:
    known = [(code, region(code)) for code in fields.get("regions") or ()]
    return join_words([found.name if found else code for code, found in known]) or "Your council's own area"


def _sum_up_cpv(fields: Fields) -> str:
    return "; ".join(f"{code} {cpv_label(code) or ''}".strip() for code in fields.get("cpv") or ())


def _in_pounds(fields: Fields) -> bool:
    return bool((fields.get("value") or {}).get("currency", "GBP") == "GBP")


QUESTIONS: Final = (
    Question(
        "title", "What do you plan to buy?", "Plan", _read_title, _refill_texts("title"),
        lambda fields: str(fields.get("title", "")), required=True,
    ),
    Question(
        "description", "What should it do?", "Description", _read_description, _refill_texts("description"),
        lambda fields: str(fields.get("description", "")),
    ),
    Question(
        "kind", "What kind of purchase is it?", "Kind", _read_kind, _refill_texts("kind"),
        _sum_up_choice("kind", texts.KINDS), required=True,
    ),
    Question(
        "extension", "By how long do you mean to extend the contract?", "Extension", _read_extension,
        _refill_extension, _sum_up_extension, asked=lambda fields: fields.get("kind") == "extension",
    ),
    Question(
        "dates", "When could the tender be published?", "Tender", _read_window, _refill_window, _sum_up_window,
        required=True,
    ),
    Question(
        "stage", "How far are you?", "Stage", _read_choice("stage", STAGES, "Choose how far you are"),
        _refill_texts("stage"), _sum_up_choice("stage", STAGES),
    ),
    Question(
        "value", "What is the whole contract worth?", "Value", _read_value,
        lambda fields: {"value": _plain_number(fields.get("value"))}, _sum_up_value, asked=_in_pounds,
    ),
    Question(
        "contract", "Which contract runs now?", "Present contract", _read_contract, _refill_contract,
        _sum_up_contract,
    ),
    Question(
        "regions", "Where is it delivered?", "Place", _read_regions,
        lambda fields: {"regions": tuple(fields.get("regions") or ())}, _sum_up_regions,
    ),
    Question(
        "cpv", "Which CPV codes fit?", "CPV codes", _read_cpv,
        lambda fields: {"cpv": ", ".join(fields.get("cpv") or ())}, _sum_up_cpv,
    ),
    Question(
        "preference", "Would you lead a group?", "In a group", _read_preference,
        _refill_texts("preference"), _sum_up_choice("preference", texts.PREFERENCES),
    ),
    Question(
        "sharing", "Who may see this plan?", "Who may see it",
        _read_choice("sharing", texts.SHARINGS, "Choose who may see this plan"), _refill_texts("sharing"),
        _sum_up_choice("sharing", texts.SHARINGS), required=True,
    ),
)  # fmt: skip
BY_SLUG: Final = {question.slug: question for question in QUESTIONS}
