"""`jointly extensions`: extensions beyond twelve months, the benchmarks they asked for, the answers, the decisions."""

import json
from pathlib import Path
from typing import Annotated

import typer

from events.benchmarks import ExtensionDecision
from events.contracts import WithheldReason
from events.fields import canonical_authority
from events.responses import EnquiryAnswer
from services.application import enquiries
from services.application import extensions as use
from services.application.enquiries import EnquiryRecord
from services.application.extensions import ExtensionRecord
from services.application.responses import ResponseError
from services.cli.database import with_snapshot
from services.cli.errors import fail
from services.cli.producing import check_authority
from services.cli.responses import AUTHORITY, DRY_RUN, OWN_TOPIC, REFUSED, SIGNING_KEY, Sending
from services.cli.terminal import plain, print_rows
from services.platform.clock import today
from services.platform.settings import settings

app = typer.Typer(no_args_is_help=True, help="Extensions that asked for a benchmark: show, answer, decide.")


@app.command("list")
def list_(
    authority: Annotated[str | None, typer.Option(help="Only extensions of this authority (code).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """List the extensions beyond twelve months, those due first, with what became of the benchmark."""
    code, day = check_authority(authority), today(settings().as_of)
    found = with_snapshot(lambda session: use.list_extensions(session, code, day), authority=code)
    if as_json:
        for record in found:
            typer.echo(json.dumps(record.as_json()))
        return
    names = ("request", "plan", "months in all", "benchmark", "due", "decision", "remark", "others")
    print_rows(names, [_row(record) for record in found])


@app.command("decide")
def decide(
    request: Annotated[str, typer.Argument(help="The request's id.")],
    decision: Annotated[ExtensionDecision, typer.Argument(help="The decision.")],
    authority: Annotated[str, AUTHORITY],
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Record the decision after looking at the benchmark. A later decision takes the place of an earlier one."""
    code = canonical_authority(authority)
    try:
        payload = with_snapshot(lambda session: use.build_decision(session, request, code, decision.value))
    except ResponseError as error:
        fail(str(error), REFUSED)
    Sending(signing_key_file, own_topic, dry_run).send([payload], undoable=False)


@app.command("asked")
def asked(
    authority: Annotated[str, typer.Option(help="The authority that was asked (code).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """List what others ask an authority about its prices, those due first."""
    code, day = canonical_authority(authority), today(settings().as_of)
    found = with_snapshot(lambda session: enquiries.list_enquiries(session, code, day), authority=code)
    if as_json:
        for record in found:
            typer.echo(json.dumps(record.as_json()))
        return
    print_rows(("request", "who asks", "category", "your contract", "due", "answer"), [_asked(one) for one in found])


@app.command("answer")
def answer(
    request: Annotated[str, typer.Argument(help="The request's id.")],
    outcome: Annotated[EnquiryAnswer, typer.Argument(help="Whether you share your prices.")],
    authority: Annotated[str, AUTHORITY],
    contract: Annotated[str | None, typer.Option(help="With supplied: the id of the contract with the prices.")] = None,
    reason: Annotated[
        WithheldReason | None, typer.Option(help="With withheld: the reason; never shown to others.")
    ] = None,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Answer what another authority asks about your prices. A later answer takes the place of an earlier one."""
    code, day = canonical_authority(authority), today(settings().as_of)
    try:
        payload = with_snapshot(
            lambda session: enquiries.build_answer(
                session, request, code, outcome, day, contract_id=contract, reason=reason.value if reason else None
            )
        )
    except ResponseError as error:
        fail(str(error), REFUSED)
    Sending(signing_key_file, own_topic, dry_run).send([payload], undoable=False)


def _asked(record: EnquiryRecord) -> tuple[str, ...]:
    enquiry = record.enquiry
    said = enquiry.answer.value if enquiry.answer else "" if record.is_open else "no longer needed"
    return (
        enquiry.request_id,
        plain(record.asker, 60),
        record.category,
        enquiry.holding,
        enquiry.due_on.isoformat(),
        said,
    )


def _row(record: ExtensionRecord) -> tuple[str, ...]:
    request = record.request
    decision = request.decision.value if request.decision else ""
    months, due = str(request.months), request.due_on.isoformat()
    others = f"{request.others.answers} of {request.others.asked}" if request.others.asked else ""
    status = request.status.value
    return (request.request_id, request.plan_id, months, status, due, decision, _remark(record), others)


def _remark(record: ExtensionRecord) -> str:
    if record.without_benchmark:
        return "extended without benchmark"
    return "decision overdue" if record.overdue else ""
