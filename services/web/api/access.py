"""Authenticates readers: a bearer token identifies one authority and grants scopes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.domain.api_access import Scope
from services.platform.clock import today
from services.store import api_tokens
from services.store.database import transaction
from services.web.api.problems import ProblemError
from services.web.parts import parts_of
from services.web.rate_limit import MINUTE, RateLimit, client_address

REQUESTS_A_MINUTE: Final = 120
REFUSALS_A_MINUTE: Final = 20
"""The limit on requests with a wrong token, by client address."""

_bearer: Final = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token of one authority: `jointly api-token issue`."
)


@dataclass(frozen=True, slots=True)
class Reader:
    """The authority that the token identifies."""

    authority: str
    token_id: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The rate limits of one application: for readers, and for requests with a wrong token."""

    reads: RateLimit
    refusals: RateLimit


def make_limits() -> Limits:
    """Create both limits, unused."""
    return Limits(RateLimit(REQUESTS_A_MINUTE, MINUTE), RateLimit(REFUSALS_A_MINUTE, MINUTE))


def limits_of(request: Request) -> Limits:
    """Return the application's limits. The first request creates them."""
    state = request.app.state
    if not hasattr(state, "api_limits"):
        state.api_limits = make_limits()
    limits: Limits = state.api_limits
    return limits


def reader_of(scope: Scope) -> Callable[..., Awaitable[Reader]]:
    """Build a dependency that authenticates the reader and requires this scope."""

    async def check(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Reader:
        if credentials is None:
            raise unknown_token(request, "send a token: `Authorization: Bearer jly_...`")
        return await authorise(request, credentials.credentials, scope)

    return check


async def authorise(request: Request, token: str, scope: Scope) -> Reader:
    """Return the reader behind a token. Raises ProblemError if it is unknown, lacks the scope, or exceeds its limit."""
    async with transaction(parts_of(request).sessions) as session:
        # As a link's days, those of the register are real ones.
        row = await api_tokens.find(session, token, today(None))
        if row is not None:
            await api_tokens.note_use(session, row.token_id)
    if row is None:
        raise unknown_token(request, "the token is not known here, or does not work any more; ask for another one")
    refuse_haste(limits_of(request).reads, row.token_id)
    if scope.value not in row.scopes:
        raise ProblemError(403, f"the token may not read {scope.value}; it was issued for {', '.join(row.scopes)}")
    return Reader(row.authority, row.token_id)


def unknown_token(request: Request, detail: str) -> ProblemError:
    """Build the response to a missing or unknown token, the same for both. Raise ProblemError beyond the limit."""
    refuse_haste(limits_of(request).refusals, client_address(request))
    return ProblemError(401, detail, {"WWW-Authenticate": 'Bearer realm="jointly"'})


def refuse_haste(limit: RateLimit, client: str) -> None:
    """Count a request. Raises ProblemError if it exceeds the limit."""
    wait = limit.seconds_to_wait(client)
    if wait:
        detail = f"{limit.limit} requests a minute are the most; ask again in {wait} s"
        raise ProblemError(429, detail, {"Retry-After": str(wait)})
