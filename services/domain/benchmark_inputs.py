"""Selects the contracts that count in the benchmark of a quarter. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from events.contracts import ContractPublished, WithheldReason
from services.domain.benchmark_cells import BenchmarkCell, PriceRecord, Quarter, build_cells, category_of
from services.domain.disclosure import Tier, contract_is_open
from services.domain.suppliers import suppliers_key


@dataclass(frozen=True, slots=True)
class BenchmarkInputs:
    """The prices of a quarter, and the contracts without prices by category and reason."""

    records: tuple[PriceRecord, ...]
    withheld: Mapping[str, Mapping[WithheldReason, int]]


def cells_of_quarter(contracts: Iterable[ContractPublished], quarter: Quarter) -> list[BenchmarkCell]:
    """Build the cells of a quarter from the contracts known when it is published."""
    inputs = benchmark_inputs(contracts, quarter)
    return build_cells(inputs.records, quarter, inputs.withheld)


def benchmark_inputs(contracts: Iterable[ContractPublished], quarter: Quarter) -> BenchmarkInputs:
    """Collect the prices of contracts that ran in the quarter and were open to signatories by its last day.

    Prices count as agreed. They are not adjusted to the quarter: see docs/decisions/0801.
    """
    records: list[PriceRecord] = []
    withheld: dict[str, Counter[WithheldReason]] = defaultdict(Counter)
    for contract in contracts:
        if not contract.cpv or not _counts(contract, quarter):
            continue
        category = category_of(contract.cpv[0])
        if contract.withheld:
            withheld[category][contract.withheld] += 1
        for line, price in enumerate(contract.prices):
            records.append(
                PriceRecord(
                    contract_id=contract.contract_id,
                    line=line,
                    authority=contract.authority,
                    supplier=suppliers_key(contract.supplier),
                    category=category,
                    unit=price.unit,
                    quantity=price.quantity,
                    unit_price=price.unit_price,
                )
            )
    return BenchmarkInputs(tuple(records), withheld)


def _counts(contract: ContractPublished, quarter: Quarter) -> bool:
    started = contract.start is None or contract.start <= quarter.last_day
    running = contract.end is None or contract.end >= quarter.first_day
    return started and running and contract_is_open(contract, Tier.SIGNATORIES, quarter.last_day)
