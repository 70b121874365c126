"""`jointly introduce`: what an authority says to an introduction."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from events.fields import canonical_authority
from events.responses import IntroductionAnswer, ResponseIntroduced
from services.cli.days import DAY, read_day
from services.cli.responses import AUTHORITY, DRY_RUN, OWN_TOPIC, SIGNING_KEY, Sending, respond


def introduce(
    opportunity: Annotated[str, typer.Argument(help="The id of an opportunity that is not shared openly.")],
    agrees: Annotated[
        IntroductionAnswer, typer.Argument(help="yes, no (final for six months, and not reported) or later.")
    ],
    authority: Annotated[str, AUTHORITY],
    remind_on: Annotated[
        datetime | None, typer.Option(parser=read_day, metavar=DAY, help="With later: the day to ask again.")
    ] = None,
    signing_key_file: Annotated[Path | None, SIGNING_KEY] = None,
    own_topic: Annotated[bool, OWN_TOPIC] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
) -> None:
    """Say yes, no or later to an introduction. Both plans open to each other once both authorities have said yes."""
    values = {"agrees": agrees.value, "remind_on": remind_on.date() if remind_on else None}
    payload = respond(ResponseIntroduced, opportunity, canonical_authority(authority), values)
    Sending(signing_key_file, own_topic, dry_run).send([payload])
