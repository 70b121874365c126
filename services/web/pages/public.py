"""Pages that anybody may read."""

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from services.web.templating import STATIC, render

router = APIRouter()


@router.get("/")
async def start(request: Request) -> Response:
    """Explain the service, and how to sign in."""
    return render(request, "start.html")


@router.get("/accessibility")
async def accessibility(request: Request) -> Response:
    """The accessibility statement."""
    return render(request, "accessibility.html")


@router.get("/privacy")
async def privacy(request: Request) -> Response:
    """The privacy page."""
    return render(request, "privacy.html", mail_from=request.app.state.parts.settings.mail_from)


@router.get("/robots.txt")
async def robots() -> Response:
    """Ask search engines to stay away."""
    return FileResponse(STATIC / "robots.txt", media_type="text/plain")
