"""An office with members, in a database."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from events.responses import DelegationScope, ResponseConvened, ResponseDelegated
from services.domain.ids import party_subject
from services.domain.parties import Membership, Party, PartyKind
from services.store import parties
from services.store.authorities import AuthorityUpdate, save
from services.store.database import Sessions, transaction
from tests.support.coalitions import AS_OF, LEEDS, CoalitionsHarness, pair_fields, response_fields

OFFICE = "GB-X-OFFICE"
OFFICE_NAME = "Yorkshire programme office"
DELEGATED_DAYS = 30


async def register_party(
    sessions: Sessions,
    memberships: Iterable[Membership],
    code: str = OFFICE,
    *,
    kind: PartyKind = PartyKind.PROGRAMME_OFFICE,
    **fields: Any,
) -> None:
    """A party in the register."""
    async with transaction(sessions) as session:
        await save(session, AuthorityUpdate(code, {"name": OFFICE_NAME if code == OFFICE else code, **fields}))
        await parties.save(session, Party(code, kind, "", tuple(memberships)))


def since(day: date, *authorities: str) -> list[Membership]:
    """Memberships that began on a day."""
    return [Membership(authority, day) for authority in sorted(authorities)]


async def convene(harness: CoalitionsHarness, *plan_ids: str, party: str = OFFICE, scope: str = "HR") -> None:
    """A party invites plans of the only coalition."""
    state = await harness.only()
    fields = response_fields(party, state.coalition_id, state.terms_revision, next(harness.numbers))
    del fields["plan_id"]
    await harness.respond(ResponseConvened(**fields, plan_ids=plan_ids, scope=scope))


async def convene_pair(harness: CoalitionsHarness, authority: str, other: str, *plan_ids: str) -> None:
    """The office invites plans of the pair of two authorities' plans."""
    fields = pair_fields(authority, other, next(harness.numbers)) | {"authority": OFFICE}
    del fields["plan_id"]
    await harness.respond(ResponseConvened(**fields, plan_ids=plan_ids, scope="HR"))


def delegated(scope: DelegationScope | None, number: int, revision: int = 1) -> ResponseDelegated:
    """Leeds lets the office act from the day of the tests on, or ends that."""
    return ResponseDelegated(
        response_id=f"response-{number:06}",
        authority=LEEDS,
        subject="party",
        subject_id=party_subject(OFFICE),
        subject_revision=revision,
        party=OFFICE,
        scope=scope,
        starts_on=AS_OF,
        until=AS_OF + timedelta(days=DELEGATED_DAYS),
    )
