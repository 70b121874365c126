"""What the whole pipeline does: e1 new plans, e2 updates, e3 latency at half load, e4 more matchers, e5 new plans but
for the encoder."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from events.plans import PlanPayload
from matching.encoders.loading import load_embedder
from services.local_stack.postgres import Server
from tests.bench import statement_counts
from tests.bench.corpora import Corpus
from tests.bench.cpu_limits import limited
from tests.bench.encoder_baseline import encoder
from tests.bench.latency import latencies
from tests.bench.running import KAFKA, Running, loaded, running, say

STAND_IN = "hashing"
QUARTER = 0.25
WARM_UP = 64
WARM_UPDATES = 512
"""Updates are cheap, and the first ones fill the memory of a matcher that has just started."""
_REPORTED_SECONDS = 2.0


def new_plans(server: Server, corpus: Corpus, broker: str, count: int, model: str, folder: Path) -> dict[str, Any]:
    """(e1) New plans at once, end to end, and the encoder alone on the same plans before and after."""
    embedder = load_embedder(model)
    warm, measured, counted = _parts(corpus.new, count)
    alike = Corpus(corpus.name, (), measured)
    alone = [encoder(alike, len(measured), embedder)]
    with loaded(server, corpus, model, folder) as database, running(server, database, broker, folder, model) as run:
        found = _measured(server, run, warm, measured, counted)
        found["memory_mb"] = statement_counts.memory_mb(run.matchers[0].pid)
    alone.append(encoder(alike, len(measured), embedder))
    bound = sum(one["plans_per_second"] for one in alone) / 2
    return found | {
        "model": embedder.model,
        "encoder_alone": alone,
        "share_of_encoder": round(found["per_second"] / bound, 3),
    }


def text_free_updates(server: Server, corpus: Corpus, broker: str, count: int, folder: Path) -> dict[str, Any]:
    """(e2) Updates of window, value or regions at once. No text is embedded, so the stand-in may be the model."""
    updates = corpus.updates(min(WARM_UPDATES + 2 * count, len(corpus.active)))
    return _by_stand_in(server, corpus, broker, _parts(updates, count, WARM_UPDATES), folder)


def searched_only(server: Server, corpus: Corpus, broker: str, count: int, folder: Path) -> dict[str, Any]:
    """(e5) New plans at once with the stand-in as the model: what search and database cost, without the encoder."""
    return _by_stand_in(server, corpus, broker, _parts(corpus.new, count), folder)


def _by_stand_in(server: Server, corpus: Corpus, broker: str, parts: Any, folder: Path) -> dict[str, Any]:
    with (
        loaded(server, corpus, STAND_IN, folder) as database,
        running(server, database, broker, folder, STAND_IN) as run,
    ):
        found = _measured(server, run, *parts)
        found["memory_mb"] = statement_counts.memory_mb(run.matchers[0].pid)
    return found | {"model": STAND_IN}


def half_load(
    server: Server, corpus: Corpus, broker: str, rate: float, seconds: float, model: str, folder: Path
) -> dict[str, Any]:
    """(e3) New plans at a steady rate: from just before a plan is published to its opportunity event's arrival."""
    warm, rest = corpus.new[:WARM_UP], corpus.new[WARM_UP:]
    measured = rest[: max(1, min(len(rest), int(rate * seconds)))]
    with loaded(server, corpus, model, folder) as database, running(server, database, broker, folder, model) as run:
        run.warm_up(warm)
        found = latencies(run.pipeline.settings, measured, rate)
    return found | {"rate_per_second": round(rate, 2), "model": model or "default"}


def more_matchers(server: Server, corpus: Corpus, broker: str, count: int, folder: Path, numbers: Sequence[int]) -> Any:
    """(e4) Updates by 1, 2 and 4 matchers, each held to a quarter of a core. Statements are counted, and so logged by
    the database, while it is timed, which costs all numbers of matchers alike."""
    if broker != KAFKA and max(numbers) > 3:
        numbers = [number for number in numbers if number <= 3]  # Tansu's groups were found to work up to three
    updates = corpus.updates(min(WARM_UP + count, len(corpus.active)))
    warm, measured = updates[:WARM_UP], updates[WARM_UP:]
    found: dict[str, Any] = {"model": STAND_IN, "by_matchers": {}}
    for number in numbers:
        say(f"{number} matchers, each with a quarter of a core")
        with (
            loaded(server, corpus, STAND_IN, folder) as database,
            running(server, database, broker, folder, STAND_IN, matchers=number) as run,
        ):
            run.warm_up(warm)
            with limited([matcher.pid for matcher in run.matchers], QUARTER) as how:
                found["limited_by"] = how
                one = _observed(server, run, measured)
            one["memory_mb"] = [statement_counts.memory_mb(matcher.pid) for matcher in run.matchers]
            found["by_matchers"][str(number)] = one
    rates = {number: one["per_second"] for number, one in found["by_matchers"].items()}
    found["times_one"] = {number: round(rate / rates[str(numbers[0])], 3) for number, rate in rates.items()}
    return found


def _parts(
    payloads: Sequence[Any], count: int, warm: int = WARM_UP
) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
    """What warms up, what is timed (no more than `count`), and a fifth as many that are counted."""
    warm = min(warm, len(payloads) // 4)
    rest = tuple(payloads[warm:])
    timed = min(count, len(rest) * 4 // 5)
    return tuple(payloads[:warm]), rest[:timed], rest[timed : timed + max(1, timed // 5)]


def _measured(
    server: Server, run: Running, warm: Sequence[PlanPayload], measured: Sequence[PlanPayload], counted: Any
) -> dict[str, Any]:
    run.warm_up(warm)
    before, used = _counters(run), run.cpu_seconds()
    assessed, published = run.feed(measured)
    used = _used_since(used, run, len(measured))
    after = _counters(run)
    with statement_counts.statements(server) as said:
        run.feed(counted)
    return _rates(len(measured), assessed, published) | {
        "cpu_ms_an_event": used,
        "an_event": statement_counts.grown(before, after, len(measured)),
        "statements_an_event": {name: round(number / len(counted), 3) for name, number in sorted(said.items())},
        "all_statements_an_event": round(sum(said.values()) / len(counted), 3),
        **_an_opportunity(before, after, assessed),
    }


def _observed(server: Server, run: Running, measured: Sequence[PlanPayload]) -> dict[str, Any]:
    before, used = _counters(run), run.cpu_seconds()
    with statement_counts.lock_waits(server) as waits, statement_counts.statements(server) as said:
        assessed, published = run.feed(measured)
    used = _used_since(used, run, len(measured))
    after = _counters(run)
    return _rates(len(measured), assessed, published) | {
        "cpu_ms_an_event": used,
        "an_event": statement_counts.grown(before, after, len(measured)),
        "all_statements_an_event": round(sum(said.values()) / len(measured), 3),
        "lock_waits": dict(waits),
    }


def _used_since(before: dict[str, float], run: Running, events: int) -> dict[str, float]:
    """Milliseconds of processor time an event, by part and in all."""
    found = {name: round(1000 * (used - before[name]) / events, 3) for name, used in run.cpu_seconds().items()}
    return found | {"in_all": round(sum(found.values()), 3)}


def _counters(run: Running) -> dict[str, float]:
    time.sleep(_REPORTED_SECONDS)
    return statement_counts.metrics(run.matchers) | statement_counts.database(run.database)


def _rates(events: int, assessed: float, published: float) -> dict[str, Any]:
    return {
        "events": events,
        "seconds": round(assessed, 3),
        "per_second": round(events / assessed, 2),
        "ms_an_event": round(1000 * assessed / events, 3),
        "per_second_until_published": round(events / published, 2),
    }


def _an_opportunity(before: dict[str, float], after: dict[str, float], seconds: float) -> dict[str, Any]:
    written = after["written"] - before["written"]
    return {"ms_an_opportunity_written": round(1000 * seconds / written, 3) if written else None}
