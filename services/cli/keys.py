"""`jointly keys`: the keys with which authorities sign their plans. Private keys never reach the installation."""

import json
import os
import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from events.fields import AUTHORITY_PATTERN, canonical_authority
from events.jwk import KeyFileError, PublicKey, SigningKey, new_key, public_key, to_file_text
from services.application.known_authorities import require_known
from services.cli.database import with_database
from services.cli.days import DAY, read_day
from services.cli.errors import fail
from services.cli.terminal import print_rows, print_total
from services.platform.clock import today
from services.store import authorities as register
from services.store import authority_keys as store
from services.store.authority_keys import AddResult, AuthorityKey
from services.store.database import Sessions, now, transaction

app = typer.Typer(no_args_is_help=True, help="The keys with which authorities sign their plans.")

REFUSED: Final = 1
USAGE: Final = 2

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]


@app.command("make")
def make(
    authority: Annotated[str, typer.Argument(help="The authority that will sign with it, for example E08000035.")],
    private_key: Annotated[Path, typer.Option(help="New file for the private key, readable only by its owner.")],
) -> None:
    """Make a key: write the private half to a file, and print the public half (a JWK). Registers nothing.

    The authority keeps the file and sends the printed key to the operator of Jointly, for `jointly keys add`.
    """
    if not re.fullmatch(AUTHORITY_PATTERN, authority):
        fail(f"'{authority}' is not a code; give an ONS code such as E08000035, or another org-id", USAGE)
    key = new_key(canonical_authority(authority))
    write_private_key(private_key, key)
    typer.echo(to_file_text(key.public.jwk()), nl=False)


@app.command("add")
def add(
    authority: Annotated[str, typer.Argument(help="The key's authority; it must be in the register.")],
    file: Annotated[Path, typer.Argument(help="File with the public key that `jointly keys make` printed.")],
    from_: Annotated[
        datetime | None, typer.Option("--from", help="First day on which it is valid.", parser=read_day, metavar=DAY)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", help="Last day on which it is valid.", parser=read_day, metavar=DAY)
    ] = None,
    as_json: _Json = False,
) -> None:
    """Register an authority's public key. Its other keys stay valid: add the new one, switch over, revoke the old one.

    Make sure that the key is the authority's: have its id read out over a telephone number that you know. Exit code 1:
    refused.
    """
    authority, key = canonical_authority(authority), _read(file)
    if key.authority not in (None, authority):
        fail(f"{file}: was made for {key.authority}, not for {authority}; nothing was registered", REFUSED)
    first, last = from_.date() if from_ else today(None), until.date() if until else None
    if last is not None and last < first:
        fail(f"--until ({last}) is before the first day ({first})", USAGE)

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
        fail(f"{authority} is not in the register; add it first by `jointly authorities import`", REFUSED)
    if outcome == AddResult.TAKEN:
        fail(
            f"key {key.key_id} is already registered for another authority or other days, or revoked. Make a new one",
            REFUSED,
        )
    if as_json:
        typer.echo(json.dumps({"key_id": key.key_id, "authority": authority, "outcome": outcome}))
    else:
        typer.echo(f"{outcome}: key {key.key_id} of {authority}, valid from {first} {f'to {last}' if last else 'on'}")


@app.command("list")
def list_(
    authority: Annotated[str | None, typer.Argument(help="Only keys of this authority (code).")] = None,
    as_json: _Json = False,
) -> None:
    """List the registered keys: authority, validity period, and whether they may sign today."""
    code = canonical_authority(authority) if authority else None

    async def look(sessions: Sessions) -> list[AuthorityKey]:
        async with sessions() as session:
            await require_known(session, code)
            return list(await store.all_keys(session, code))

    found, day = with_database(look), today(None)
    if as_json:
        typer.echo(json.dumps([_as_json(key, day) for key in found]))
        return
    rows = [(key.authority, key.key_id, store.why_invalid(key, day) or _good(key)) for key in found]
    print_rows(("authority", "key", "state"), rows)
    if not found:
        print_total("no key is registered")


# A key's id is a hash in base64url: one in 64 begins with "-", and must not be read as an option.
@app.command("revoke", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
def revoke(key_id: Annotated[str, typer.Argument(help="The key's id; see `jointly keys list`.")]) -> None:
    """Revoke a key permanently. Within a minute, events signed with it are refused; plans that it signed before
    stay."""

    async def write(sessions: Sessions) -> AuthorityKey | None:
        async with transaction(sessions) as session:
            return await store.revoke(session, key_id)

    key = with_database(write)
    if key is None:
        fail("the register has no such key; see `jointly keys list`", REFUSED)
    typer.echo(f"revoked: key {key.key_id} of {key.authority}")


def write_private_key(path: Path, key: SigningKey) -> None:
    """Write a private key to a new file that only its owner can read; exit if that fails."""
    try:
        # Never overwrite a file: it may be the key in use. The file is private from the moment of its creation.
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        fail(f"{path}: can't be written: {error.strerror}", USAGE)
    try:
        with os.fdopen(opened, "w", encoding="ascii") as file:
            file.write(to_file_text(key.private_jwk()))
    except OSError as error:
        # Half a key would be in the way of the next try.
        path.unlink(missing_ok=True)
        fail(f"{path}: can't be written: {error.strerror}", USAGE)


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
        fail(f"{file}: can't be read: {error.strerror}", USAGE)
    except KeyFileError as error:
        fail(f"{file}: {error}", USAGE)
