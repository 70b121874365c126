"""`jointly keys`: the keys by which authorities sign their plans. Private ones never get to us."""

import json
import os
import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from events.fields import AUTHORITY_PATTERN, canonical_authority
from events.jwk import KeyFileError, PublicKey, SigningKey, new_key, public_key, to_file_text
from services.cli.database import with_database
from services.platform.clock import today
from services.store import authorities as register
from services.store import authority_keys as store
from services.store.authority_keys import AuthorityKey
from services.store.database import Sessions, now, transaction

app = typer.Typer(no_args_is_help=True, help="The keys that authorities sign their plans with.")

REFUSED: Final = 1
USAGE: Final = 2

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]


@app.command("make")
def make(
    authority: Annotated[str, typer.Argument(help="Who will sign with it, for example E08000035.")],
    private_key: Annotated[Path, typer.Option(help="Where the private key goes: a new file, for its owner only.")],
) -> None:
    """Make a key: the private half into a file, the public half (a JWK) to standard output. Registers nothing.

    The authority keeps the file and sends what is printed to whoever runs Jointly, for `jointly keys add`.
    """
    if not re.fullmatch(AUTHORITY_PATTERN, authority):
        _end(USAGE, f"'{authority}' is not a code; give an ONS code such as E08000035, or another org-id")
    key = new_key(canonical_authority(authority))
    write_private_key(private_key, key)
    typer.echo(to_file_text(key.public.jwk()), nl=False)


@app.command("add")
def add(
    authority: Annotated[str, typer.Argument(help="Whose key it is; it has to be in the register.")],
    file: Annotated[Path, typer.Argument(help="The public key, as `jointly keys make` printed it.")],
    from_: Annotated[
        datetime | None, typer.Option("--from", help="First day it is good for.", formats=["%Y-%m-%d"])
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", help="Last day it is good for.", formats=["%Y-%m-%d"])
    ] = None,
    as_json: _Json = False,
) -> None:
    """Register an authority's public key. Others it has stay good: add the new one, change over, revoke the old one.

    Make sure that the key is the authority's: have its id read out over a telephone number that you know. Exit code 1:
    refused.
    """
    authority, key = canonical_authority(authority), _read(file)
    if key.authority not in (None, authority):
        _end(REFUSED, f"{file}: was made for {key.authority}, not for {authority}; nothing was registered")
    first, last = from_.date() if from_ else today(None), until.date() if until else None
    if last is not None and last < first:
        _end(USAGE, f"--until ({last}) is before the first day ({first})")

    async def write(sessions: Sessions) -> str | None:
        async with transaction(sessions) as session:
            if not await register.by_codes(session, [authority]):
                return None
            row = AuthorityKey(
                key_id=key.key_id,
                authority=authority,
                public_key=key.x,
                valid_from=first,
                valid_until=last,
                created_at=now(),
            )
            return await store.add(session, row)

    outcome = with_database(write)
    if outcome is None:
        _end(REFUSED, f"{authority} is not in the register; add it first by `jointly authorities import`")
    if outcome == "taken":
        _end(
            REFUSED, f"key {key.key_id} is registered already: as another's, for other days, or revoked. Make a new one"
        )
    if as_json:
        typer.echo(json.dumps({"key_id": key.key_id, "authority": authority, "outcome": outcome}))
    else:
        typer.echo(f"{outcome}: key {key.key_id} of {authority}, good from {first} {f'to {last}' if last else 'on'}")


@app.command("list")
def list_(
    authority: Annotated[str | None, typer.Argument(help="This authority's only.")] = None, as_json: _Json = False
) -> None:
    """List the registered keys: whose, from when to when, and whether they may sign today."""

    async def look(sessions: Sessions) -> list[AuthorityKey]:
        async with sessions() as session:
            return list(await store.all_keys(session, canonical_authority(authority) if authority else None))

    found, day = with_database(look), today(None)
    if as_json:
        typer.echo(json.dumps([_as_json(key, day) for key in found]))
        return
    for key in found:
        typer.echo(f"{key.authority}  {key.key_id}  {store.why_invalid(key, day) or _good(key)}")
    if not found:
        typer.echo("no key is registered")


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="The key's id; see `jointly keys list`.")]) -> None:
    """Revoke a key for ever. Within a minute nothing that it signed is taken any more; plans it brought stay."""

    async def write(sessions: Sessions) -> AuthorityKey | None:
        async with transaction(sessions) as session:
            return await store.revoke(session, key_id)

    key = with_database(write)
    if key is None:
        _end(REFUSED, "the register has no such key; see `jointly keys list`")
    typer.echo(f"revoked: key {key.key_id} of {key.authority}")


def write_private_key(path: Path, key: SigningKey) -> None:
    """Writes a private key into a new file that only its owner can read; ends the command where it can't."""
    try:
        # Never over an existing file: that may be the key in use. Nobody else can read it, at no moment.
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        _end(USAGE, f"{path}: can't be written: {error.strerror}")
    with os.fdopen(opened, "w", encoding="ascii") as file:
        file.write(to_file_text(key.private_jwk()))


def _good(key: AuthorityKey) -> str:
    return f"good until {key.valid_until}" if key.valid_until else "good"


def _as_json(key: AuthorityKey, day: date) -> dict[str, str | bool | None]:
    return {
        "key_id": key.key_id,
        "authority": key.authority,
        "valid_from": key.valid_from.isoformat(),
        "valid_until": key.valid_until.isoformat() if key.valid_until else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        "good": store.why_invalid(key, day) is None,
    }


def _read(file: Path) -> PublicKey:
    try:
        return public_key(file.read_bytes())
    except OSError as error:
        _end(USAGE, f"{file}: can't be read: {error.strerror}")
    except KeyFileError as error:
        _end(USAGE, f"{file}: {error}")


def _end(code: int, sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)
