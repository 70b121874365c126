"""Error pages for people, and problem details for programs under `/api`."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.domain.links import LinkError
from services.platform import logs
from services.web.templating import render

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class ErrorText:
    """An error page's heading, and the remedy."""

    heading: str
    advice: str


TEXTS: Final = {
    400: ErrorText("We could not read that", "Go back, check what you entered and send it again."),
    403: ErrorText(
        "That request did not come from this site",
        "Nothing was changed. Open the page from your email or from the start page, and try again there.",
    ),
    404: ErrorText("Page not found", "Check the address. If you followed a link in an email, open it again there."),
    405: ErrorText("That can't be done here", "Go back and use the buttons of the page."),
    409: ErrorText("Something has changed meanwhile", "Go back, look at the page again, then answer."),
    413: ErrorText("That was too long", "Nothing was changed. Shorten your text and send it again."),
    429: ErrorText("Too many tries", "Wait five minutes, then try again."),
    500: ErrorText("Something went wrong on our side", "Nothing was changed. Try again in a few minutes."),
}


async def answer(request: Request, error: Exception) -> Response:
    """Build the response to a request that can't be served."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 303 and isinstance(error, HTTPException):
        return Response(status_code=303, headers=error.headers)
    headers = error.headers if isinstance(error, HTTPException) else None
    text = TEXTS.get(status, TEXTS[500 if status >= 500 else 400])
    if request.url.path.startswith("/api/"):
        problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": text.advice}
        return JSONResponse(problem, status, headers, media_type="application/problem+json")
    return render(request, "error.html", status=status, headers=headers, text=text)


async def _unreadable(request: Request, error: Exception) -> Response:  # noqa: ARG001 (Starlette's signature)
    return await answer(request, HTTPException(400))


async def _unexpected(request: Request, error: Exception) -> Response:
    # The path may hold a link's key, and an error's text what somebody typed.
    log.error("page failed", error=type(error).__name__, route=getattr(request.scope.get("route"), "path", None))
    return await answer(request, error)


async def _dead_link(request: Request, error: Exception) -> Response:
    text = ErrorText("This link no longer works", str(error))
    return render(request, "error.html", status=410, text=text)


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    HTTPException: answer,
    RequestValidationError: _unreadable,
    LinkError: _dead_link,
    Exception: _unexpected,
}
