"""The benchmark's table and plot, from its results alone."""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

Run = Mapping[str, Any]

_ROWS: tuple[tuple[str, str, Callable[[Run], Any]], ...] = (
    ("a", "(a) encoder alone, new plans/s", lambda run: run["plans_per_second"]),
    ("a", "(a) processor ms a plan", lambda run: run["cpu_ms_a_plan"]),
    ("b", "(b) plain loop, new plans/s", lambda run: run["new_per_second"]),
    ("b", "(b) plain loop without embedding, updates/s", lambda run: run["updates_per_second"]),
    ("c", "(c) bm25s alone, searches/s", lambda run: run["searches_per_second"]),
    ("r", "(r) recall of the index at digest or above", lambda run: run["recall_at_digest_or_above"]),
    ("r", "(r) search in batches, ms a plan", lambda run: run["search_ms_a_plan"]),
    ("e1", "(e1) pipeline, new plans/s", lambda run: run["per_second"]),
    ("e1", "(e1) its share of the encoder alone", lambda run: run["share_of_encoder"]),
    ("e1", "(e1) processor ms an event, all parts", lambda run: run["cpu_ms_an_event"]["in_all"]),
    ("e1", "(e1) ms an opportunity written", lambda run: run["ms_an_opportunity_written"]),
    ("e1", "(e1) statements an event", lambda run: run["all_statements_an_event"]),
    ("e1", "(e1) memory of the matcher and its encoder, MB", lambda run: run["memory_mb"].get("once")),
    ("e1", "(e1) the same at most, what both share counted twice", lambda run: run["memory_mb"].get("most")),
    ("e2", "(e2) pipeline, updates/s", lambda run: run["per_second"]),
    ("e2", "(e2) processor ms an event, all parts", lambda run: run["cpu_ms_an_event"]["in_all"]),
    ("e2", "(e2) ms an opportunity written", lambda run: run["ms_an_opportunity_written"]),
    ("e2", "(e2) statements an event", lambda run: run["all_statements_an_event"]),
    ("e3", "(e3) ms to the opportunity at half load, p50", lambda run: run["p50_ms"]),
    ("e3", "(e3) the same, p99", lambda run: run["p99_ms"]),
    ("e5", "(e5) new plans/s without the encoder", lambda run: run["per_second"]),
    ("e5", "(e5) processor ms an event, all parts", lambda run: run["cpu_ms_an_event"]["in_all"]),
    ("e5", "(e5) ms an opportunity written", lambda run: run["ms_an_opportunity_written"]),
)
_SCALING = (
    ("updates/s", lambda one: one["per_second"]),
    ("processor ms an event, matchers", lambda one: one["cpu_ms_an_event"]["matchers"]),
    ("processor ms an event, database", lambda one: one["cpu_ms_an_event"]["database"]),
    ("statements an event", lambda one: one["all_statements_an_event"]),
    ("connections waiting for a lock, on average", lambda one: one["lock_waits"]["connections_waiting_on_average"]),
    ("faults waited out an event", lambda one: one["an_event"]["faults_waited_out"]),
    ("pairs skipped an event", lambda one: one["an_event"]["skipped_pairs"]),
    ("memory of each, MB at most", lambda one: ", ".join(str(each.get("most", "?")) for each in one["memory_mb"])),
)
_LINES: tuple[tuple[str, str, str, Callable[[Run], float]], ...] = (
    ("b", "plain loop, updates", "#b45309", lambda run: 1000 / run["updates_per_second"]),
    ("c", "bm25s alone", "#6b7280", lambda run: run["p50_ms"]),
    ("e1", "pipeline, new plans", "#1d4ed8", lambda run: run["ms_an_event"]),
    ("e2", "pipeline, updates", "#7c3aed", lambda run: run["ms_an_event"]),
    ("e5", "pipeline, new plans but for the encoder", "#be185d", lambda run: run["ms_an_event"]),
)


def write(results: Mapping[str, Any], folder: Path) -> None:
    """Writes table.md and plot.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(table(results), "utf-8")
    (folder / "plot.svg").write_text(plot(results), "utf-8")


def table(results: Mapping[str, Any]) -> str:
    """What was measured, a column a size; where a stage ran on two brokers, a row each."""
    runs: list[Run] = list(results["runs"].values())
    sizes = sorted({str(run["size"]) for run in runs}, key=active)
    lines = ["| | " + " | ".join(f"{active(size):,} plans{_real(size)}" for size in sizes) + " |"]
    lines.append("|---|" + "---:|" * len(sizes))
    for stage, label, value in _ROWS:
        for broker in _brokers(runs, stage):
            cells = [_cell(_of(runs, stage, size, broker), value) for size in sizes]
            where = f", {broker}" if broker else ""
            lines.append(f"| {label}{where} | " + " | ".join(cells) + " |")
    parts = ["\n".join(lines) + "\n"]
    parts += [_scaling(run) for run in runs if run["stage"] == "e4"]
    parts += _ratios(runs)
    return "\n".join(parts)


def _scaling(run: Run) -> str:
    numbers = list(run["by_matchers"])
    where = f"{active(run['size']):,} active plans, {run['broker']}"
    lines = [f"| a quarter of a core each ({where}) | " + " | ".join(f"{n} matchers" for n in numbers) + " |"]
    lines.append("|---|" + "---:|" * len(numbers))
    lines.append("| times the first | " + " | ".join(str(run["times_one"][n]) for n in numbers) + " |")
    for label, value in _SCALING:
        lines.append(f"| {label} | " + " | ".join(str(value(run["by_matchers"][n])) for n in numbers) + " |")
    return "\n".join(lines) + "\n"


def _ratios(runs: list[Run]) -> list[str]:
    """Ours against the plain loop, and ours against itself at another size."""
    lines = []
    for stage, theirs in (("e1", "new_per_second"), ("e2", "updates_per_second"), ("e5", None)):
        for broker in _brokers(runs, stage):
            ours = sorted((r for r in runs if r["stage"] == stage and r.get("broker") == broker), key=_size)
            for run in ours:
                loop = _of(runs, "b", run["size"], None)
                if loop and theirs:
                    times = run["per_second"] / loop[theirs]
                    lines.append(f"- {stage} at {_size(run):,} plans, {broker}: {times:.1f} times the plain loop")
            for one, other in pairwise(ours):
                ratio = other["ms_an_event"] / one["ms_an_event"]
                costs = f"an event at {_size(other):,} plans costs {ratio:.2f} times one at {_size(one):,}"
                lines.append(f"- {stage}, {broker}: {costs}")
    return ["\n".join(lines) + "\n"] if lines else []


def plot(results: Mapping[str, Any]) -> str:
    """The cost of one event against the number of active plans, both logarithmic, as SVG."""
    runs: list[Run] = list(results["runs"].values())
    found = []
    for stage, label, colour, value in _LINES:
        for broker in _brokers(runs, stage):
            points = [(_size(r), value(r)) for r in runs if r["stage"] == stage and r.get("broker") == broker]
            if points:
                found.append((f"{label} ({broker})" if broker else label, colour, broker == "kafka", sorted(points)))
    return _svg(found)


def _svg(found: list[tuple[str, str, bool, list[tuple[int, float]]]]) -> str:
    width, height, left, top, wide, high = 860, 440, 70, 30, 500, 350
    xs = [x for *_, points in found for x, _ in points] or [1000]
    ys = [y for *_, points in found for _, y in points] or [1.0]
    x_low, x_high = (
        math.floor(math.log10(min(xs))),
        max(math.ceil(math.log10(max(xs))), math.floor(math.log10(min(xs))) + 1),
    )
    y_low, y_high = (
        math.floor(math.log10(min(ys))),
        max(math.ceil(math.log10(max(ys))), math.floor(math.log10(min(ys))) + 1),
    )

    def at(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - x_low) / (x_high - x_low)
        up = (math.log10(y) - y_low) / (y_high - y_low)
        return round(left + wide * across, 1), round(top + high * (1 - up), 1)

    out = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="sans-serif" font-size="13">'
        )
    ]
    out.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for power in range(x_low, x_high + 1):
        x, _ = at(10**power, 10**y_low)
        out.append(f'<path d="M{x} {top}V{top + high}" stroke="#e5e7eb"/>')
        out.append(f'<text x="{x}" y="{top + high + 20}" text-anchor="middle">{10**power:,}</text>')
    for power in range(y_low, y_high + 1):
        _, y = at(10**x_low, 10.0**power)
        out.append(f'<path d="M{left} {y}H{left + wide}" stroke="#e5e7eb"/>')
        out.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{10.0**power:g}</text>')
    out.append(f'<text x="{left + wide / 2}" y="{top + high + 42}" text-anchor="middle">active plans</text>')
    out.append(f'<text x="{left}" y="18">milliseconds an event</text>')
    for place, (label, colour, dashed, points) in enumerate(found):
        ends = [at(x, y) for x, y in points]
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        line = " ".join(f"{x},{y}" for x, y in ends)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        out += [f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>' for x, y in ends]
        y = top + 12 + 22 * place
        out.append(f'<path d="M{left + wide + 20} {y}h28" stroke="{colour}" stroke-width="2"{dash}/>')
        out.append(f'<text x="{left + wide + 56}" y="{y + 4}">{escape(label)}</text>')
    return "\n".join([*out, "</svg>\n"])


def active(size: str) -> int:
    """How many plans a size stands for."""
    number, _, times = size.removesuffix("real").partition("x")
    return int(number) * int(times or 1)


def _size(run: Run) -> int:
    return active(run["size"])


def _real(size: str) -> str:
    return " (real)" if size.endswith("real") else " (copies)" if "x" in size else ""


def _brokers(runs: list[Run], stage: str) -> list[str | None]:
    return sorted({run.get("broker") for run in runs if run["stage"] == stage}, key=str)


def _of(runs: list[Run], stage: str, size: str, broker: str | None) -> Run | None:
    return next((r for r in runs if r["stage"] == stage and r["size"] == size and r.get("broker") == broker), None)


def _cell(run: Run | None, value: Callable[[Run], Any]) -> str:
    found = value(run) if run else None
    return "" if found is None else f"{found:,}" if isinstance(found, (int, float)) else str(found)
