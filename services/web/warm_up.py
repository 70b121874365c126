"""Loads templates, reference tables and a connection before the first request needs them."""

from collections.abc import Iterator
from typing import Final

from jinja2 import meta
from sqlalchemy.exc import SQLAlchemyError

from matching.reference import authority_names, cpv_labels, regions
from services.platform import logs
from services.web.parts import WebParts
from services.web.templating import environment

NOBODY: Final = "a name that no council has"

log: Final = logs.get(__name__)


async def warm_up(parts: WebParts) -> None:
    """Compile every page's template and load the reference tables. Without a database the pages warm up later."""
    for name in _templates():
        environment().get_template(name)
    authority_names.identify(NOBODY)
    regions()
    cpv_labels()
    try:
        async with parts.sessions() as session:
            if parts.frameworks is not None:
                await parts.frameworks.usable(session, [NOBODY])
    except (SQLAlchemyError, OSError) as error:
        log.warning("frameworks are read with the first page", error=type(error).__name__)


def _templates() -> Iterator[str]:
    """Our own templates, and the components that they use."""
    made = environment()
    assert made.loader is not None
    waiting = [name for name in made.list_templates(extensions=["html"]) if "/" not in name]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        source, _, _ = made.loader.get_source(made, name)
        waiting += [one for one in meta.find_referenced_templates(made.parse(source)) if one is not None]
