"""Whether anybody knows an authority. A mistyped code must not look like an authority for which nothing is stored."""

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from matching.reference import authority as listed_authority
from services.store.authorities import Authority
from services.store.contracts import ContractRow
from services.store.plans import PlanRecord


class UnknownAuthorityError(Exception):
    """Neither the register, nor the list of authorities, nor a plan or contract has this code."""


async def require_known(session: AsyncSession, authority: str | None) -> None:
    """Check an authority's code, in canonical form. Raises UnknownAuthorityError; None, for all, is always known."""
    if authority is None or listed_authority(authority) is not None:
        return
    columns = (Authority.authority, PlanRecord.authority, ContractRow.authority)
    query = select(*(exists(select(1).where(col(column) == authority)) for column in columns))
    if not any((await session.execute(query)).one()):
        raise UnknownAuthorityError(
            f"no authority has the code {authority}: it is in neither the register nor the list of authorities, and no "
            "plan or contract names it; see `jointly authorities export`"
        )
