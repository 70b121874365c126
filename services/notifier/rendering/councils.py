"""The table of councils in emails: plan, value, tender, stage and current contract. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from events.fields import Window
from matching.reference import authority as known_authority
from matching.text.formatting import format_date, format_pounds
from services.domain.disclosure import PlanFacts
from services.domain.reorganisation import is_for_predecessor
from services.notifier.partner_names import UNNAMED
from services.notifier.rendering.plain_text import sanitise, visible

STAGES: Final = {"planned": "Planned", "engagement": "Talking to suppliers now", "tendering": "Out to tender"}
PREFERENCES: Final = {"lead": ", would lead", "join": ", would rather join"}
NARROW: Final = (("Council", "council"), ("Plan", "plan"), ("Value", "value"), ("Tender", "tender"))
"""The columns that fit into a plain text email."""
WIDE: Final = (*NARROW, ("Stage", "stage"), ("Contract now", "now"))


@dataclass(frozen=True, slots=True)
class CouncilRow:
    """One council in the table; every text is plain and on one line. `reply`: its answer, or how well its plan fits."""

    council: str
    plan: str
    value: str
    tender: str
    stage: str
    now: str
    reply: str


def council_row(council: str, facts: PlanFacts, reply: str) -> CouncilRow:
    """Build the row of a council with this name and these facts."""
    return CouncilRow(
        council=council,
        plan=sanitise(facts.title, 60) or "Not shared",
        value=format_pounds(facts.value) if facts.value is not None else "Not given",
        tender=months(facts.tender_window),
        stage=STAGES.get(facts.stage, "Planned") + PREFERENCES.get(facts.preference or "", ""),
        now=_contract_now(facts),
        reply=reply,
    )


def own_plan_line(facts: PlanFacts, plan_id: str) -> str:
    """The reader's own plan in one line: title, reference, value, window."""
    title, own = sanitise(facts.title, 120), reference(plan_id)
    value = f", {format_pounds(facts.value)}" if facts.value is not None else ""
    return f"{title} ({own}){value}, tender {months(facts.tender_window)}" if title else own


def worth(values: Sequence[float | None]) -> str:
    """The total value of plans: "About £5.9 million together.", or "" if no value is known."""
    known = [value for value in values if value is not None]
    return (
        f"{'About' if len(known) == len(values) else 'At least'} {format_pounds(sum(known))} together." if known else ""
    )


def text_table(rows: Sequence[CouncilRow]) -> list[str]:
    """The table in aligned columns. Columns that do not fit follow on a line below each row."""
    cells = [[title for title, _ in NARROW], *([getattr(row, name) for _, name in NARROW] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(NARROW))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    found = [lines[0]]
    for line, row in zip(lines[1:], rows, strict=True):
        found += [line, f"  {row.stage}. {row.reply}. Contract now: {row.now}."]
    return found


def short_name(code: str, names: Mapping[str, str]) -> str:
    """The short name of a council for a table: "Leeds". `names`: the names of others, by code."""
    known, name = known_authority(code), names.get(code, UNNAMED)
    return sanitise(known.short_name if known and not is_for_predecessor(name, code) else name, 60)


def reference(plan_id: str) -> str:
    """The authority's own reference of its plan."""
    return visible(plan_id.partition(":")[2] or plan_id)


def months(window: Window) -> str:
    """A window in months: "Jul-Sep 2027"."""
    first, last = window.earliest, window.latest
    if (first.year, first.month) == (last.year, last.month):
        return f"{first:%b %Y}"
    return f"{first:%b}-{last:%b %Y}" if first.year == last.year else f"{first:%b %Y}-{last:%b %Y}"


def short_day(value: date) -> str:
    """8 January."""
    return f"{value.day} {value:%B}"


def _contract_now(facts: PlanFacts) -> str:
    """The current contract, as far as it is shared."""
    supplier = sanitise(facts.supplier, 60)
    if facts.contract_ends is None:
        return supplier or "Not given"
    ends = format_date(facts.contract_ends)
    return f"{supplier}, ends {ends}" if supplier else f"Ends {ends}"
