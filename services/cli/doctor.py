"""`jointly doctor`: settings, broker, topics, schema, generation, lag and mail server on one screen."""

import asyncio
import json
from typing import Annotated

import typer

from services.application.diagnosis import Finding, Verdict, diagnose
from services.cli.errors import ExitCode, problem_of
from services.platform.settings import settings
from services.platform.version import version


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False) -> None:
    """Check every part that Jointly needs; change nothing, send nothing.

    Exit code 0 if no part failed, else that of the first part that failed.
    """
    found = asyncio.run(diagnose(settings()))
    if as_json:
        typer.echo(json.dumps({"version": version(), "parts": [_as_json(finding) for finding in found]}))
    else:
        typer.echo(f"jointly {version()}")
        for finding in found:
            _print(finding)
    failed = next((finding for finding in found if finding.verdict is Verdict.FAILED), None)
    if failed is not None:
        raise typer.Exit(int(_code(failed)))


def _sentences(finding: Finding) -> tuple[str, ...]:
    return finding.sentences if finding.error is None else (problem_of(finding.error).sentence,)


def _code(finding: Finding) -> ExitCode:
    return ExitCode.REFUSED if finding.error is None else problem_of(finding.error).code


def _as_json(finding: Finding) -> dict[str, object]:
    return {"part": finding.part, "verdict": finding.verdict.value, "sentences": list(_sentences(finding))}


def _print(finding: Finding) -> None:
    first, *more = _sentences(finding) or ("",)
    typer.echo(f"{finding.verdict.value:<8}{finding.part:<11}{first}".rstrip())
    for sentence in more:
        typer.echo(f"{'':<19}{sentence}")
