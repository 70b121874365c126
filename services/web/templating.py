"""Renders pages from templates and escapes every value. The components come from govuk-frontend-jinja."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import ChainableUndefined, Environment, PackageLoader, PrefixLoader
from jinja2.loaders import ChoiceLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from matching.text.formatting import format_date, format_month, format_pounds, join_words

STATIC: Final = Path(__file__).parent / "static"


@cache
def environment() -> Environment:
    """The template environment. The components need undefined values to count as empty."""
    own = PackageLoader("services.web")
    components = PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")})
    made = Environment(
        autoescape=True,
        loader=ChoiceLoader([own, components]),
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"day": _day, "month": format_month, "pounds": _pounds, "sentence": _sentence}
    made.globals["asset"] = asset
    return made


def render(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> Response:
    """One page. `request.state.authority_name`, where a session set it, shows in the navigation."""
    signed_in = getattr(request.state, "session", None)
    page = environment().get_template(template).render(request=request, signed_in=signed_in, **values)
    return HTMLResponse(page, status, headers)


@cache
def asset(name: str) -> str:
    """The address of a static file. It changes with the file's content."""
    version = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={version}"


def _day(value: date | None) -> str:
    return format_date(value) if value else ""


def _sentence(items: Sequence[str]) -> str:
    return join_words(items)


def _pounds(value: float | None) -> str:
    return format_pounds(value) if value is not None else "Not given"
