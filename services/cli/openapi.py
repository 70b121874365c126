"""`jointly openapi`: the read interface as a document."""

from typing import Annotated

import typer

from services.web.api.openapi import KEPT, written


def openapi(
    write: Annotated[bool, typer.Option("--write", help="Write the saved copy instead of printing.")] = False,
) -> None:
    """Print the OpenAPI document of the read interface, as JSON."""
    if write:
        KEPT.write_text(written(), "utf-8")
        return
    typer.echo(written(), nl=False)
