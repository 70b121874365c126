"""`jointly forget`: deletes the content of a plan, or of all plans of an authority; the identities stay."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import typer
from aiokafka.errors import KafkaError

from events.fields import AUTHORITY_PATTERN, PLAN_ID_PATTERN, canonical_plan_id
from matching.policy import Policy
from services.application.known_authorities import UnknownAuthorityError, require_known
from services.cli import blanking
from services.cli.database import with_database
from services.cli.errors import fail
from services.cli.terminal import plain
from services.matcher.erasure import ErasedContent, forget_invitations, plans_of
from services.matcher.erasure import erase as forget_plans
from services.platform.settings import Settings, settings
from services.store import audit_names, authorities, contracts, mailbox_changes, plan_drafts, saved_searches
from services.store.database import Sessions, transaction

FAILED: Final = 1
USAGE: Final = 2


@dataclass(frozen=True, slots=True)
class ForgetResult:
    """The rows forgotten in the database, and the number of dead letters blanked."""

    database: ErasedContent
    dead_letters: int
    contracts: int = 0


def forget(
    subject: Annotated[str, typer.Argument(help="A plan's id, E09000015:ICT-0042, or an authority's code, E09000015.")],
    yes: Annotated[bool, typer.Option("--yes", help="Really forget; this can't be undone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Forget the content of a plan, or of all plans of an authority, with its mailbox, contracts and personal names.

    It goes from plan log, plans, plan features, embeddings, opportunities, coalitions, responses, outbox and dead
    letters. Ids, revisions and hashes stay; active opportunities are withdrawn.

    Without --yes, only print what would be forgotten. Exit code 0: done. 1: not done, or incomplete; run it again. 2:
    nothing was tried.
    """
    if not re.fullmatch(PLAN_ID_PATTERN if ":" in subject else AUTHORITY_PATTERN, subject):
        fail(f"'{plain(subject, 120)}' is neither a plan's id nor an authority's code", USAGE)
    subject, using = canonical_plan_id(subject), settings()
    policy = Policy.load(using.policy_file)
    using.need_kafka()

    async def work(sessions: Sessions) -> ForgetResult:
        await _require_known(sessions, using, subject)
        if yes:
            erased, shared = await forget_stored(sessions, policy, subject)
            return ForgetResult(erased, await blanking.blank_letters(using, subject), shared)
        async with transaction(sessions) as session:
            found = ErasedContent(plans=len(await plans_of(session, subject)))
            shared = await contracts.count_of(session, subject)
        return ForgetResult(found, await blanking.count_letters(using, subject), shared)

    try:
        done = with_database(work)
    except KafkaError as error:
        fail(f"the dead letters are not blanked: {type(error).__name__} {error}. Run it again", FAILED)
    if not yes:
        fail(
            f"{done.database.plans} plans, {done.contracts} contracts and {done.dead_letters} dead letters would be "
            "forgotten; add --yes to do it. "
            "It can't be undone",
            USAGE,
        )
    if as_json:
        others = {"dead_letters": done.dead_letters, "contracts": done.contracts}
        typer.echo(json.dumps({"subject": subject, **asdict(done.database), **others}))
        return
    typer.echo(
        f"{done.database.plans} plans forgotten: {done.database.events} events in the plan log, "
        f"{done.database.withdrawn} opportunities withdrawn, {done.database.ended} that had ended, "
        f"{done.contracts} contracts, {done.dead_letters} dead letters"
    )


async def _require_known(sessions: Sessions, using: Settings, subject: str) -> None:
    """Raise UnknownAuthorityError for a code of nobody. Dead letters may name one that has never been taken in."""
    try:
        async with transaction(sessions) as session:
            await require_known(session, subject.partition(":")[0])
    except UnknownAuthorityError:
        if not await blanking.count_letters(using, subject):
            raise


async def forget_stored(sessions: Sessions, policy: Policy, subject: str) -> tuple[ErasedContent, int]:
    """Forget what the database holds; return the counts, and the number of contracts."""
    async with transaction(sessions) as session:
        plan_ids, shared = await plans_of(session, subject), 0
        if ":" not in subject:
            shared = await contracts.forget_authority(session, subject)
            await authorities.forget_mailbox(session, subject)
            await mailbox_changes.end_all(session, subject)
            await audit_names.erase_authority(session, subject)
            await plan_drafts.forget(session, subject)
            await saved_searches.forget(session, subject)
        await blanking.drop_waiting(session, subject)
    if ":" not in subject:
        await forget_invitations(sessions, [subject])
    return await forget_plans(sessions, policy, plan_ids), shared
