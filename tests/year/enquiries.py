"""Whom the scenario's benchmark requests are put to, and what these councils answer: counted from the scenario."""

from collections.abc import Mapping
from datetime import date

from events.contracts import ContractPublished
from tests.year import scenario
from tests.year.acts import Extension
from tests.year.charter import ENQUIRIES
from tests.year.histories import History


def holders(asking: Extension, plans: Mapping[str, History]) -> set[str]:
    """The other councils with a contract of the same kind that runs on the day, never more than eight in the scenario.

    `plans`: those of the day. Half time comes before the next day on which anything happens.
    """
    day, kind = asking.day, asking.cpv[:5]
    if plans[asking.plan_id].state.sharing == "private":
        return set()
    newest = {one.payload.contract_id: one.payload for one in scenario.CONTRACTS if one.day <= day}
    sharing = {
        one.authority
        for one in newest.values()
        if isinstance(one, ContractPublished)
        and one.cpv[0][:5] == kind
        and one.withheld is None
        and min((opens for opens in (one.sharing.signatories, one.sharing.public) if opens), default=date.max) <= day
    }
    extending = {
        one.authority
        for one in plans.values()
        if one.stands
        and one.state.sharing == "open"
        and one.state.cpv[0][:5] == kind
        and one.state.current_contract is not None
        and (one.state.current_contract.end or date.max) >= day
    }
    found = (sharing | extending) - {asking.plan_id.split(":")[0]}
    assert len(found) <= 8
    return found


def answers_to(plan_id: str, day: date) -> list[str]:
    """What councils have answered to an extension's request by a day."""
    return [one.said["outcome"] for one in ENQUIRIES if one.partner == plan_id and one.day <= day]


def enquiry_numbers(put: Mapping[str, set[str]], day: date) -> dict[str, int]:
    """The programme's numbers by a day."""
    answers = [answer for plan_id in put for answer in answers_to(plan_id, day)]
    return {
        "put to others": sum(len(councils) for councils in put.values()),
        "others answered": len(answers),
        "others gave a price": answers.count("supplied"),
    }
