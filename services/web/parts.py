"""The database and settings of the pages and the read interface: made once, given to every request."""

from dataclasses import dataclass
from datetime import date

from fastapi import Request

from services.platform.clock import today
from services.platform.settings import Settings
from services.store.database import Sessions
from services.store.framework_index import FrameworkIndex


@dataclass(frozen=True, slots=True)
class WebParts:
    """The database and the settings of one web process."""

    sessions: Sessions
    settings: Settings
    frameworks: FrameworkIndex | None = None


def parts_of(request: Request) -> WebParts:
    """The parts of the application that answers this request."""
    parts = request.app.state.parts
    assert isinstance(parts, WebParts)
    return parts


def today_of(request: Request) -> date:
    """The day as of which plans are assessed: today, or the fixed day of the settings."""
    return today(parts_of(request).settings.as_of)


def page_url(settings: Settings, path: str) -> str:
    """The public address of a page."""
    return settings.public_url.rstrip("/") + path
