"""`jointly audit`: whether the audit log is whole, proofs of single entries, and the entries themselves."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import canonical_authority
from events.jwk import KeyFileError, PublicKey, SigningKey, new_key, public_key, signing_key, to_file_text
from events.signed_notes import NoteError, read_checkpoints
from services.application import audit as use
from services.application.audit import AuditError, KnownCheckpoint
from services.cli.database import with_database, with_snapshot
from services.cli.errors import fail
from services.cli.keys import write_private_key
from services.platform.settings import settings
from services.store import audit_log, audit_names
from services.store.database import Sessions, transaction

_MAX_ENTRY: Final = 2**63 - 1
"""PostgreSQL numbers no more entries."""

app = typer.Typer(no_args_is_help=True, help="Check, prove and export the audit log.")

Key = TypeVar("Key")

BROKEN: Final = 1
USAGE: Final = 2


@app.command()
def verify(
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="File of checkpoints stored elsewhere; repeatable.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The installation's public key; default: from JOINTLY_INSTALLATION_KEY_FILE.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Read the whole audit log and compare it with its checkpoints. Exit code 1: an entry was changed or is gone.

    Give a checkpoint that was kept outside the database: only that one finds entries cut off the end.
    """
    kept = [one for path in checkpoint or () for one in _read_kept(path, _public_key(key))]
    report = with_snapshot(lambda session: use.verify(session, kept))
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    else:
        typer.echo(f"{report.entries} entries, root {report.root}, compared with {report.checkpoints} checkpoints")
        for problem in report.problems:
            typer.echo(f"  {problem}")
        if not report.problems:
            typer.echo("Nothing was changed.")
    if report.problems:
        raise typer.Exit(BROKEN)


@app.command()
def prove(entry: Annotated[int, typer.Argument(min=0, max=_MAX_ENTRY, help="The entry's number, from 0.")]) -> None:
    """Print the proof that an entry is in the newest checkpoint: it is checked without this database."""
    try:
        proof = with_snapshot(lambda session: use.prove(session, entry))
    except AuditError as error:
        fail(str(error), BROKEN)
    typer.echo(proof, nl=False)


@app.command()
def export(
    authority: Annotated[str | None, typer.Option(help="Only entries of this authority (code).")] = None,
    names: Annotated[bool, typer.Option("--names", help="With names and job titles: personal data.")] = False,
) -> None:
    """Print the entries as JSON, one a line, in their order."""
    code = canonical_authority(authority) if authority else None

    async def read(session: AsyncSession) -> None:
        async for line in use.export(session, authority=code, names=names):
            typer.echo(json.dumps(line, ensure_ascii=False))

    with_snapshot(read, authority=code)


@app.command()
def checkpoint() -> None:
    """Print the newest checkpoint. Keep it outside this installation, for `jointly audit verify --checkpoint FILE`."""
    row = with_snapshot(audit_log.newest_checkpoint)
    if row is None:
        fail("nothing has been signed yet: the relay needs JOINTLY_INSTALLATION_KEY_FILE", BROKEN)
    typer.echo(row.note, nl=False)


@app.command("make-key")
def make_key(
    private_key: Annotated[Path, typer.Argument(help="New file for the private key, readable only by its owner.")],
    keep: Annotated[bool, typer.Option("--keep", help="If the file exists, keep its key.")] = False,
) -> None:
    """Make the installation's key: the private half into a file, the public half (a JWK) to standard output."""
    public = _file_key(private_key).public if keep and private_key.exists() else _make_key(private_key).public
    typer.echo(to_file_text(public.jwk()), nl=False)


@app.command("erase-name")
def erase_name(
    actor: Annotated[str, typer.Argument(help="The id that entries have in `actor`; see `jointly audit export`.")],
) -> None:
    """Erase the name and job title behind an id. The entries stay, and the log stays whole."""

    async def erase(sessions: Sessions) -> bool:
        async with transaction(sessions) as session:
            return await audit_names.erase(session, actor)

    if not with_database(erase):
        fail(f"there is no name under {actor}; it may have been erased already", BROKEN)
    typer.echo(f"erased: the name behind {actor}")


def _read_kept(path: Path, key: PublicKey | None) -> list[KnownCheckpoint]:
    if key is None:
        fail("say with which key checkpoints are signed: --key FILE, or JOINTLY_INSTALLATION_KEY_FILE", USAGE)
    try:
        return [KnownCheckpoint(one, str(path)) for one in read_checkpoints(path.read_text("utf-8"), key)]
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path}: can't be read: {getattr(error, 'strerror', None) or 'not UTF-8'}", USAGE)
    except NoteError as error:
        fail(f"{path}: {error}", USAGE)


def _make_key(path: Path) -> SigningKey:
    key = new_key()
    write_private_key(path, key)
    return key


def _file_key(path: Path) -> SigningKey:
    return _read_key(path, signing_key)


def _public_key(path: Path | None) -> PublicKey | None:
    if path is not None:
        return _read_key(path, public_key)
    own = settings().installation_key_file
    return _file_key(own).public if own is not None else None


def _read_key(path: Path, read: Callable[[bytes], Key]) -> Key:
    try:
        return read(path.read_bytes())
    except OSError as error:
        fail(f"{path}: can't be read: {error.strerror}", USAGE)
    except KeyFileError as error:
        fail(f"{path}: {error}", USAGE)
