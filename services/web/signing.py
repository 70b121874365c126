"""Cookies and the signed-in authority. `__Host-` keeps other hosts and plain HTTP from setting either."""

import re
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.application import sign_in
from services.application.sign_in import SignedInAuthority
from services.domain.parties import PartyKind
from services.store.database import now
from services.web.access import Session

SESSION_COOKIE: Final = "__Host-jointly"
TICKET_COOKIE: Final = "__Host-jointly-ticket"
OFFICE_HOME: Final = "/programme"
_OWN_PAGE: Final = re.compile(
    r"/(home|search|documents|programme|signatories|convene(/[0-9a-f]{32})?|benchmarks|suppliers|contracts|plans/new|settings(/[a-z]+)?|asked/[0-9a-f]{32}|[co]/[0-9a-f]{32}(/do/[a-z]+)?"
    r"|p/[A-Za-z0-9:._-]{3,201}(/(benchmark|draft|end|route|what-if))?)"
)


async def signed_in(request: Request, session: Session) -> SignedInAuthority:
    """The authority that the session acts for. Without one, redirects to the sign-in page, which leads back."""
    found = await current(request, session)
    if found is None:
        wanted = safe_next(request.url.path) if request.method == "GET" else ""
        target = f"/sign-in?{urlencode({'next': wanted})}" if wanted else "/sign-in"
        raise HTTPException(303, headers={"Location": target})
    request.state.session = found
    return found


Account = Annotated[SignedInAuthority, Depends(signed_in)]
"""A council or an office."""


async def council_of(account: Account) -> SignedInAuthority:
    """The council that is signed in. An office has pages of its own, and is led there."""
    if account.party is not None:
        raise HTTPException(303, headers={"Location": OFFICE_HOME})
    return account


async def office_of(account: Account) -> SignedInAuthority:
    """The party that is signed in. A council gets 404 for its pages."""
    if account.party is None:
        raise HTTPException(404)
    return account


async def programme_office_of(account: Account) -> SignedInAuthority:
    """The programme office that is signed in. Others get 404 for its pages."""
    if account.party is not PartyKind.PROGRAMME_OFFICE:
        raise HTTPException(404)
    return account


Council = Annotated[SignedInAuthority, Depends(council_of)]
Office = Annotated[SignedInAuthority, Depends(office_of)]
ProgrammeOffice = Annotated[SignedInAuthority, Depends(programme_office_of)]


async def current(request: Request, session: Session) -> SignedInAuthority | None:
    """The authority that the session acts for; None if nobody is signed in."""
    token = request.cookies.get(SESSION_COOKIE)
    return await sign_in.find(session, token, now()) if token else None


def safe_next(path: str) -> str:
    """Return the path if a sign-in may lead there, else an empty one."""
    return path if _OWN_PAGE.fullmatch(path) else ""


def set_cookie(response: Response, name: str, value: str, seconds: int) -> None:
    """Set a cookie that only our own pages get, and no script."""
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def drop_cookie(response: Response, name: str) -> None:
    """Make the browser delete a cookie."""
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
