"""All routers of the read interface, for the application."""

from typing import Final

from fastapi import APIRouter

from services.web.api import calendar, lists, openapi

API_ROUTERS: Final[tuple[APIRouter, ...]] = (
    lists.router,
    calendar.router,
    calendar.feed_router,
    openapi.router,
)
