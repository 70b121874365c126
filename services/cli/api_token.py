"""`jointly api-token`: what an authority's own systems read with, and its calendar address."""

import json
from typing import Annotated, Any

import typer

from events.fields import canonical_authority
from services.application import api_tokens as use
from services.application.api_tokens import ApiTokenError
from services.application.known_authorities import require_known
from services.cli.database import with_database
from services.cli.errors import fail
from services.cli.responses import REFUSED
from services.cli.terminal import plain, print_rows, print_total
from services.domain.api_access import READ_SCOPES, Scope
from services.domain.audit import Channel
from services.platform.settings import settings
from services.store import api_tokens
from services.store.api_tokens import ApiToken
from services.store.database import Sessions, transaction

app = typer.Typer(no_args_is_help=True, help="Tokens for authorities' own systems, and calendar addresses.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of words.")]


@app.command("issue")
def issue(
    authority: Annotated[str, typer.Argument(help="The authority whose lists it reads; must be in the register.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="The lists it may read; default: all. calendar: a calendar address.")
    ] = None,
    label: Annotated[str, typer.Option(help="The authority's name for it, such as the system that uses it.")] = "",
    as_json: _Json = False,
) -> None:
    """Issue a token and print it. It is shown this once: only its hash is stored.

    With `--scope calendar` it is the private address of the authority's calendar. Exit code 1: refused.
    """
    code, scopes = canonical_authority(authority), scope or list(READ_SCOPES)

    async def write(sessions: Sessions) -> tuple[ApiToken, str]:
        async with transaction(sessions) as session:
            return await use.issue(session, code, scopes, label, channel=Channel.COMMAND_LINE)

    try:
        row, token = with_database(write)
    except ApiTokenError as error:
        fail(str(error), REFUSED)
    shown = use.calendar_address(settings().public_url, token) if Scope.CALENDAR in scopes else token
    if as_json:
        typer.echo(json.dumps({**_as_json(row), "token": shown}))
        return
    typer.echo(shown)
    typer.echo(f"Keep it: it is not shown again. `jointly api-token revoke {row.token_id}` ends it.", err=True)


@app.command("list")
def list_(
    authority: Annotated[str | None, typer.Argument(help="Only tokens of this authority (code).")] = None,
    as_json: _Json = False,
) -> None:
    """List tokens with their authority, scopes and last use."""
    code = canonical_authority(authority) if authority else None

    async def look(sessions: Sessions) -> list[ApiToken]:
        async with sessions() as session:
            await require_known(session, code)
            return list(await api_tokens.listed(session, code))

    found = with_database(look)
    if as_json:
        typer.echo(json.dumps([_as_json(row) for row in found]))
        return
    print_rows(("id", "authority", "token", "scopes", "state", "label"), [_row(token) for token in found])
    if not found:
        print_total("no token was issued")


def _row(row: ApiToken) -> tuple[str, ...]:
    used = f"last used {row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never used"
    state = f"revoked {row.revoked_at:%Y-%m-%d}" if row.revoked_at else used
    scopes = ", ".join(row.scopes)
    return (row.token_id, row.authority, f"{row.prefix}...", scopes, state, plain(row.label, 80))


@app.command("revoke")
def revoke(token_id: Annotated[str, typer.Argument(help="The token's id; see `jointly api-token list`.")]) -> None:
    """Revoke a token immediately and for good."""

    async def write(sessions: Sessions) -> ApiToken:
        async with transaction(sessions) as session:
            return await use.revoke(session, token_id, authority=None, channel=Channel.COMMAND_LINE)

    try:
        row = with_database(write)
    except ApiTokenError as error:
        fail(str(error), REFUSED)
    typer.echo(f"revoked: {row.prefix}... of {row.authority}")


def _as_json(row: ApiToken) -> dict[str, Any]:
    return {
        "token_id": row.token_id,
        "authority": row.authority,
        "prefix": row.prefix,
        "label": row.label,
        "scopes": row.scopes,
        "created_at": row.created_at.isoformat(),
        "last_used_at": row.last_used_at.isoformat() if row.last_used_at else None,
        "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
    }
