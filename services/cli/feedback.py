"""`jointly feedback`: turns answers of authorities into judged pairs, so that the next fit learns from them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import ResponseAnswered, ResponsePayload, ResponseUndone
from services.application.responses import ResponseError, read_jsonl
from services.cli.database import with_snapshot
from services.cli.offline import PlanFileError, read_plans, say
from services.store import opportunities

_SIGNED: Final = {"interested": True, "other-dates": True, "not-the-same": False}
"""The judgement in each kind of answer. Other answers concern the authority's timing."""

_USAGE: Final = 2


def feedback(
    answers: Annotated[Path, typer.Argument(help="Responses, one JSON object a line, as `jointly answer` reads them.")],
    plans: Annotated[Path, typer.Option(help="The plans in the answers: payloads, one JSON object a line.")],
) -> None:
    """Print the pairs that authorities judged by their answers, as JSONL for `jointly fit` and `evaluate`.

    The database knows which two plans an answer was about.
    """
    try:
        responses = _read(answers)
        known = {plan.plan_id for plan in read_plans(plans)}
    except PlanFileError as error:
        say(str(error))
        raise typer.Exit(_USAGE) from error
    subjects = {one.subject_id for one in responses if isinstance(one, ResponseAnswered)}

    async def read(session: AsyncSession) -> dict[str, tuple[str, str]]:
        return {key: row.pair for key, row in (await opportunities.get_many(session, sorted(subjects))).items()}

    found = with_snapshot(read)
    pairs = judge_pairs(responses, {key: pair for key, pair in found.items() if known.issuperset(pair)})
    for pair in pairs:
        typer.echo(json.dumps(pair))
    say(f"{len(pairs)} pairs from {len(responses)} responses")


def _read(path: Path) -> list[ResponsePayload]:
    try:
        found = list(read_jsonl(path))
    except OSError as error:
        raise PlanFileError(f"{path} can't be read: {error.strerror}") from error
    for one in found:
        if isinstance(one, ResponseError):
            raise PlanFileError(f"{path}, {one}")
    return [one for one in found if not isinstance(one, ResponseError)]


def judge_pairs(responses: Iterable[ResponsePayload], pairs: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """Build one line for each answered pair. `pairs`: both plans of an opportunity, in id order, by its id.

    An authority's last answer counts, and one "not the same" outweighs the other's interest. Answers taken back, and
    answers about other opportunities, do not count.
    """
    everything = list(responses)
    undone = {(one.authority, one.undoes) for one in everything if isinstance(one, ResponseUndone)}
    answers = {
        (one.subject_id, one.plan_id): one
        for one in everything
        if isinstance(one, ResponseAnswered)
        and one.subject == "opportunity"
        and (one.authority, one.response_id) not in undone
    }
    judged: dict[tuple[str, str], list[ResponseAnswered]] = {}
    for (subject, own), answer in answers.items():
        pair = pairs.get(subject)
        if pair is not None and own in pair and answer.answer in _SIGNED:
            judged.setdefault(pair, []).append(answer)
    return [_line(pair, said) for pair, said in sorted(judged.items())]


def _line(pair: tuple[str, str], said: list[ResponseAnswered]) -> dict[str, Any]:
    refused = [answer for answer in said if not _SIGNED[answer.answer]]
    reason = next((answer.reason for answer in refused if answer.reason), None)
    return {"a": pair[0], "b": pair[1], "sign": not refused, "reason": reason, "readers": len(said)}
