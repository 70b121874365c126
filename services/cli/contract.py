"""`jointly schemas` and `jointly asyncapi`: the wire contract as documents."""

import json
from dataclasses import dataclass
from typing import Annotated

import typer

from events import asyncapi as contract
from events.compatibility import find_breaking_changes
from events.schemas import load_saved, path_for, payload_types, render_schema, schema_of


@dataclass(frozen=True, slots=True)
class Change:
    """A schema that differs from its payload class: the new text, and the promises that it would break."""

    kind: str
    text: str
    is_new: bool
    broken: tuple[str, ...]


def changes() -> list[Change]:
    """Return every stored schema that differs from its payload class."""
    found = []
    for kind, payload in payload_types().items():
        schema, before = schema_of(payload), load_saved(kind)
        if before != schema:
            broken = () if before is None else tuple(find_breaking_changes(before, schema))
            found.append(Change(kind, render_schema(schema), before is None, broken))
    return found


def schemas(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a schema is out of date.")] = False,
) -> None:
    """Write the JSON Schema of every payload to events/schemas; refuse incompatible changes."""
    found = changes()
    for change in found:
        for sentence in change.broken:
            typer.echo(f"{path_for(change.kind).name}: {sentence}. {_advice(change.kind)}", err=True)
        if change.broken:
            continue
        if check:
            typer.echo(f"{path_for(change.kind).name}: is out of date; run `jointly schemas`", err=True)
            continue
        path_for(change.kind).write_text(change.text, "utf-8")
        typer.echo(f"{'written' if change.is_new else 'extended'}  {path_for(change.kind).name}")
    if any(change.broken for change in found) or (check and found):
        raise typer.Exit(1)
    if not found:
        typer.echo(f"{len(payload_types())} schemas are up to date")


def asyncapi() -> None:
    """Print the AsyncAPI 3 document of the wire contract, as JSON."""
    typer.echo(json.dumps(contract.document(), indent=2, ensure_ascii=False))


def _advice(kind: str) -> str:
    family, _, version = kind.rpartition(".v")
    return (
        f"Readers and writers of {kind} rely on it: undo the change, or bring it as a new type "
        f"{family}.v{int(version) + 1} beside the old one"
    )
