"""Responses of the read interface: RFC 9457 problem details, and ETags."""

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import JSONResponse

from events.validation_sentences import describe_problems

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """The error of a request and its remedy, as RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """A refused request."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


class ReadRoute(APIRoute):
    """A route with `problem+json` errors and an `ETag` on each response."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the endpoint's handler with both."""
        handle = super().get_route_handler()

        async def handle_conditionally(request: Request) -> Response:
            try:
                return _conditional(request, await handle(request))
            except RequestValidationError as error:
                return _problem(ProblemError(400, _describe(error)))
            except ProblemError as error:
                return _problem(error)

        return handle_conditionally


def _problem(error: ProblemError) -> Response:
    said = Problem(title=HTTPStatus(error.status).phrase, status=error.status, detail=error.detail)
    return JSONResponse(said.model_dump(), error.status, error.headers, media_type=MEDIA_TYPE)


def _describe(error: RequestValidationError) -> str:
    # The first part of a place says only that it is of the query or the path.
    return describe_problems([{**fault, "loc": fault["loc"][1:]} for fault in error.errors()])


def _conditional(request: Request, response: Response) -> Response:
    """Add the `ETag`, or return 304 if the client has the same response already."""
    if response.status_code != HTTPStatus.OK:
        return response
    tag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    # A client may keep it, and has to ask before it uses it again: a token may have been revoked.
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    response.headers.update(headers)
    return response
