"""Lists as CSV files that a spreadsheet opens rightly: UTF-8 with a mark, ISO dates, and no cell that it would run."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from services.application.csv_cells import defuse
from services.application.list_items import CoalitionItem, DeadlineItem, Item, MemberItem, OpportunityItem, PlanItem
from services.domain.disclosure import Tier

BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it, spreadsheets take UTF-8 for the code page of the machine."""

Column = Callable[[Any], Any]

PLAN_COLUMNS: Final[Mapping[str, Column]] = {
    "plan_id": lambda plan: plan.plan_id,
    "status": lambda plan: plan.status,
    "title": lambda plan: plan.title,
    "kind": lambda plan: plan.kind,
    "stage": lambda plan: plan.stage,
    "value": lambda plan: plan.value,
    "tender_earliest": lambda plan: plan.tender_window.earliest,
    "tender_latest": lambda plan: plan.tender_window.latest,
    "contract_ends": lambda plan: plan.contract_ends,
    "extension_months": lambda plan: plan.extension_months,
    "supplier": lambda plan: plan.supplier,
    "cpv": lambda plan: plan.cpv,
    "regions": lambda plan: plan.regions,
    "sharing": lambda plan: plan.sharing,
    "revision": lambda plan: plan.revision,
}
OPPORTUNITY_COLUMNS: Final[Mapping[str, Column]] = {
    "opportunity_id": lambda one: one.opportunity_id,
    "status": lambda one: one.status,
    "band": lambda one: one.band,
    "score": lambda one: one.score,
    "plan_id": lambda one: one.plan_id,
    "partner": lambda one: one.partner.authority,
    "partner_name": lambda one: one.partner.authority_name,
    "partner_plan_id": lambda one: one.partner.plan_id,
    "partner_title": lambda one: one.partner.title,
    "partner_waits": lambda one: "yes" if one.partner.waits else "no",
    "common_from": lambda one: one.common_window.earliest if one.common_window else None,
    "common_until": lambda one: one.common_window.latest if one.common_window else None,
    "decide_by": lambda one: one.decide_by,
    "reasons": lambda one: one.reasons,
}
COALITION_COLUMNS: Final[Mapping[str, Column]] = {
    "coalition_id": lambda pair: pair[0].coalition_id,
    "status": lambda pair: pair[0].status,
    "authority": lambda pair: pair[1].authority,
    "authority_name": lambda pair: pair[1].authority_name,
    "state": lambda pair: pair[1].state,
    "leads": lambda pair: "yes" if pair[1].authority == pair[0].lead_authority else "no",
    "committed": lambda pair: "yes" if pair[1].committed else "no",
    "plan_id": lambda pair: pair[1].plan_id,
    "title": lambda pair: pair[1].title,
    "value": lambda pair: pair[1].value,
    "contract_ends": lambda pair: pair[1].contract_ends,
    "together_from": lambda pair: pair[0].together_from,
    "decide_by": lambda pair: pair[0].decide_by,
    "reply_by": lambda pair: pair[0].invitation.reply_by if pair[0].invitation else None,
}
"""One row a member of a coalition."""
DEADLINE_COLUMNS: Final[Mapping[str, Column]] = {
    "day": lambda one: one.day,
    "kind": lambda one: one.kind,
    "status": lambda one: one.status,
    "title": lambda one: one.title,
    "plan_id": lambda one: one.plan_id,
    "coalition_id": lambda one: one.coalition_id,
    "partners": lambda one: one.partners,
}
FOUND_COLUMNS: Final[Mapping[str, Column]] = {
    "council": lambda one: one.council,
    "title": lambda one: one.facts.title,
    "value": lambda one: one.facts.value,
    "tender_earliest": lambda one: one.facts.tender_window.earliest,
    "tender_latest": lambda one: one.facts.tender_window.latest,
    "stage": lambda one: one.facts.stage,
    "contract_ends": lambda one: one.facts.contract_ends,
    "supplier": lambda one: one.facts.supplier,
}
SUPPLIER_COLUMNS: Final[Mapping[str, Column]] = {
    "authority": lambda one: one.authority,
    "supplier": lambda one: one.supplier,
    "product": lambda one: one.product,
    "end": lambda one: one.end,
    "reference": lambda one: one.reference,
}
CONTRACT_COLUMNS: Final[Mapping[str, Column]] = {
    "contract_id": lambda one: one.contract.contract_id,
    "title": lambda one: one.contract.title,
    "supplier": lambda one: one.contract.supplier,
    "product": lambda one: one.contract.product,
    "end": lambda one: one.contract.end,
    "prices": lambda one: len(one.contract.prices),
    "withheld": lambda one: one.contract.withheld,
    "coalition_from": lambda one: one.opens[Tier.COALITION],
    "signatories_from": lambda one: one.opens[Tier.SIGNATORIES],
    "public_from": lambda one: one.opens[Tier.PUBLIC],
}
COLUMNS: Final[Mapping[type[Item], Mapping[str, Column]]] = {
    PlanItem: PLAN_COLUMNS,
    OpportunityItem: OPPORTUNITY_COLUMNS,
    CoalitionItem: COALITION_COLUMNS,
    DeadlineItem: DEADLINE_COLUMNS,
}


def to_csv(kind: type[Item], items: Iterable[Item]) -> str:
    """Write a list as CSV text; without items, only the header."""
    return table_to_csv(COLUMNS[kind], (row for item in items for row in _rows(item)))


def table_to_csv(columns: Mapping[str, Column], rows: Iterable[Any]) -> str:
    """Write a table as CSV text: the header, then one line per row."""
    text = io.StringIO(newline="")
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(read(row)) for read in columns.values()])
    return text.getvalue()


def _rows(item: Item) -> list[Item | tuple[CoalitionItem, MemberItem]]:
    return [(item, member) for member in item.members] if isinstance(item, CoalitionItem) else [item]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}".removesuffix(".00")
    if isinstance(value, tuple):
        return defuse("; ".join(map(str, value)))
    return defuse(str(value))
