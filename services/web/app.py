"""The web application: pages for people and, under `/api`, an interface for their systems."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles

from services.application.explain import ExplainContextCache
from services.web import errors
from services.web.api.routers import API_ROUTERS
from services.web.cross_origin import CrossOriginProtection
from services.web.form_limit import FormLimit
from services.web.head_requests import HeadRequests
from services.web.headers import SecurityHeaders
from services.web.pages import (
    benchmarks,
    coalition,
    convene,
    delegations,
    documents,
    emails,
    enquiry,
    group,
    home,
    introduce,
    mailbox,
    mutes,
    plan_draft,
    plan_end,
    programme,
    public,
    route,
    search,
    sign_in,
    still_true,
    suppliers,
    tokens,
    what_if,
)
from services.web.parts import WebParts

STATIC: Final = Path(__file__).parent / "static"
ROUTERS: Final[tuple[APIRouter, ...]] = (
    public.router,
    group.router,
    introduce.router,
    sign_in.router,
    home.router,
    search.router,
    plan_draft.router,
    plan_end.router,
    what_if.router,
    coalition.router,
    emails.router,
    still_true.router,
    enquiry.router,
    mailbox.router,
    mutes.router,
    tokens.router,
    route.router,
    benchmarks.router,
    suppliers.router,
    documents.router,
    programme.router,
    convene.router,
    delegations.router,
    *API_ROUTERS,
)


def create_app(parts: WebParts) -> FastAPI:
    """Build the application from these parts. It opens and starts nothing."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, exception_handlers=errors.HANDLERS)
    app.state.parts = parts
    app.state.contexts = ExplainContextCache(parts.settings)
    app.state.starts, app.state.tries = sign_in.limits()
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    # The last one added sees a request first.
    app.add_middleware(FormLimit)
    app.add_middleware(CrossOriginProtection)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(HeadRequests)
    return app
