"""`jointly openapi`: the read interface as a document."""

from typing import Annotated

import typer

from services.web.api.openapi import KEPT, render_openapi


def openapi(
    write: Annotated[bool, typer.Option("--write", help="Write the saved copy instead of printing.")] = False,
) -> None:
    """Print the OpenAPI document of the read interface, as JSON."""
    if write:
        KEPT.write_text(render_openapi(), "utf-8")
        return
    typer.echo(render_openapi(), nl=False)
