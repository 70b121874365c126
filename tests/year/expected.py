"""The programme's numbers, counted from the scenario itself: nothing of what the services stored is read.

Only the engine is asked, for each pair and day, whether two plans are worth telling of; no process and no table is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from itertools import combinations
from statistics import median
from typing import Final

from events.contracts import ContractPublished
from events.plans import PlanState
from matching.assessment import Assessment
from tests.pipeline import engine, features_of
from tests.year import scenario
from tests.year.acts import DAYS, Extension, PlanEvent, Said
from tests.year.charter import EXTENSIONS
from tests.year.enquiries import answers_to, enquiry_numbers, holders
from tests.year.histories import OUT, History, first_days, interest, thing, together
from tests.year.working_days import last_day, next_working_day, working_days

Number = float | None
Measures = dict[tuple[str, str], Number]
Pair = tuple[str, str]

CELL_FROM: Final = date(2026, 10, 6)
"""The first day on which councils act in the quarter after the one whose HR prices are open to signatories."""
ICT: Final = ("30", "32", "48", "64", "72")
ANSWERS: Final = ("interested", "other-dates", "not-the-same", "not-this-time", "later")


class Expected:
    """What the scenario comes to."""

    def __init__(self) -> None:
        self._assessed: dict[tuple[PlanState, PlanState], Assessment] = {}

    def measures(self, day: date) -> Measures:
        """Every number of the programme report as of a day on which councils act."""
        plans, said = self.plans(day), self.said(day)
        found: Measures = {}
        for section, numbers in (
            ("Sharing ahead", _sharing_ahead(plans)),
            ("Coverage", self._coverage(plans, day)),
            ("Freshness", _freshness(plans, day)),
            ("Funnel", self._funnel(plans, said, day)),
            ("Precision", self._precision(said, day)),
            ("Worth", self._worth(plans, said, day)),
            ("Extensions", self._extensions(plans, day)),
            ("Routes", _routes(plans, said, day)),
            ("Invitations", self._invitations(said)),
            ("Contracts", self._contracts(day)),
        ):
            found |= {(section, name): number for name, number in numbers.items()}
        return found

    def plans(self, day: date) -> dict[str, History]:
        """The plans by a day."""
        events: dict[str, list[PlanEvent]] = {}
        for one in scenario.PLANS:
            if one.day <= day:
                events.setdefault(one.payload.plan_id, []).append(one)
        return {plan_id: History(found) for plan_id, found in events.items()}

    def said(self, day: date) -> list[Said]:
        """The answers that count by a day."""
        return [one for one in scenario.ANSWERS if one.day <= day and one.counts and not one.undone]

    @cached_property
    def pairs(self) -> dict[date, dict[Pair, str]]:
        """By day, the pairs of plans that are worth telling of, and how strong each is."""
        return {day: self._pairs(day) for day in DAYS}

    def _pairs(self, day: date) -> dict[Pair, str]:
        standing = [one.state for one in self.plans(day).values() if one.stands and one.state.sharing != "private"]
        found = {}
        for one, other in combinations(sorted(standing, key=lambda state: state.plan_id), 2):
            assessment = self._assess(one, other, day)
            if assessment.is_opportunity:
                found[one.plan_id, other.plan_id] = assessment.band.value
        return found

    def _assess(self, one: PlanState, other: PlanState, day: date) -> Assessment:
        """What the engine says of two plans. Days alone only ever end a match, and not before the day it names."""
        known = self._assessed.get((one, other))
        if known is None or (known.is_opportunity and known.review_on is not None and known.review_on <= day):
            first, second = features_of([one, other])
            known = self._assessed[one, other] = engine().assess(first, second, day)
        return known

    @cached_property
    def told(self) -> dict[str, date]:
        """The day on which each plan's council was first written to about it.

        Strong pairs are told on the day on which they are found, others by the digest of the Monday after.
        """
        found: dict[str, date] = {}
        before: Mapping[Pair, str] = {}
        waiting: set[Pair] = set()
        for day in DAYS:
            for pair in waiting & before.keys():
                self._tell(found, pair, day)
            pairs = {pair: band for pair, band in self.pairs[day].items() if band != "feed"}
            for pair in pairs.keys() - before.keys():
                if pairs[pair] == "notify":
                    self._tell(found, pair, day)
            waiting = {pair for pair in pairs.keys() - before.keys() if pairs[pair] == "digest"}
            before = pairs
        return found

    def _tell(self, found: dict[str, date], pair: Pair, day: date) -> None:
        register = {one.authority: one for one in scenario.REGISTER}
        for plan_id in pair:
            who = register[plan_id.split(":")[0]]
            if who.mailbox and (who.withdrawn_on is None or day < who.withdrawn_on):
                found.setdefault(plan_id, day)

    def _coverage(self, plans: Mapping[str, History], day: date) -> Mapping[str, Number]:
        register = [
            one
            for one in scenario.REGISTER
            if one.signed_on <= day and not any(gone and gone <= day for gone in (one.lapsed_on, one.withdrawn_on))
        ]
        signed = {one.authority for one in register}
        sharing = {one.authority for one in plans.values() if one.own and (day - one.own[-1].day).days < 90}
        tenders = [
            one
            for one in plans.values()
            if one.authority in signed and not one.own and one.tendered_on and (day - one.tendered_on).days < 365
            if one.state.procurement and any(code[:2] in ICT for code in one.state.cpv)
        ]
        foreseen = [
            tender
            for tender in tenders
            if any(
                one.authority == tender.authority
                and one.state.procurement == tender.state.procurement
                and one.shared_on
                and (_day(tender.tendered_on) - one.shared_on).days >= 90
                for one in plans.values()
            )
        ]
        return {
            "signed": len(signed),
            "sharing": len(signed & sharing),
            "with a mailbox": sum(one.mailbox is not None for one in register),
            "ICT tenders": len(tenders),
            "ICT tenders shared before": len(foreseen),
        }

    def _funnel(self, plans: Mapping[str, History], said: Sequence[Said], day: date) -> Mapping[str, Number]:
        stages = self._stages(plans, said, day)
        found: dict[str, Number] = {}
        previous = ""
        for name, days in stages.items():
            found[name] = len(days)
            if previous:
                spans = [(days[one] - stages[previous][one]).days for one in days.keys() & stages[previous].keys()]
                found[f"{previous} to {name}"] = float(median(spans)) if spans else None
            previous = name
        kinds = Counter(one.kind for one in said if one.kind != "route")
        if undone := sum(one.undone for one in scenario.ANSWERS if one.day <= day):
            kinds["undone"] = undone
        found |= {f"answer: {kind}": count for kind, count in kinds.items()}
        reasons = Counter(str(one.said["reason"]) for one in said if "reason" in one.said)
        return found | {f"reason: {reason}": count for reason, count in reasons.items()}

    def _stages(self, plans: Mapping[str, History], said: Sequence[Said], day: date) -> dict[str, dict[str, date]]:
        answered: dict[str, date] = {}
        for one in said:
            if one.kind in (*ANSWERS, "invited", "accept", "join", "leave", "decline"):
                answered.setdefault(one.plan_id, one.day)
        joined = together(plans, said)
        tendered = {one: plans[one].tendered_on for one in joined}
        awarded = {one: plans[one].awarded_on for one in joined}
        return {
            "told": {plan_id: when for plan_id, when in self.told.items() if when <= day},
            "answered": answered,
            "mutual interest": first_days([*interest(said).items(), *joined.items()]),
            "in a coalition": joined,
            "in the market together": {one: max(when, joined[one]) for one, when in tendered.items() if when},
            "awarded together": {one: when for one, when in awarded.items() if when},
        }

    def _precision(self, said: Sequence[Said], day: date) -> Mapping[str, Number]:
        answers: dict[Pair, set[str]] = {}
        for number, one in enumerate(said):
            if one.kind in ANSWERS:
                others = [one.partner] if one.about == "pair" else self._others(one, said[:number])
                for other in others:
                    first, second = sorted((one.plan_id, other))
                    answers.setdefault((first, second), set()).add(one.kind)
        found: Counter[str] = Counter()
        for pair, kinds in answers.items():
            band = self._last_band(pair, day)
            found[f"{band}: answered"] += 1
            found[f"{band}: the same need"] += "not-the-same" not in kinds
        return dict(found)

    def _others(self, answer: Said, before: Sequence[Said]) -> list[str]:
        """The other plans of a story, without those whose councils were out of it already."""
        out = {one.plan_id for one in before if one.about == "coalition" and one.kind in OUT}
        return [one for one in self.plans(answer.day) if _same(answer, one) and one not in {answer.plan_id, *out}]

    def _last_band(self, pair: Pair, day: date) -> str:
        return [self.pairs[one][pair] for one in DAYS if one <= day and pair in self.pairs[one]][-1]

    def _worth(self, plans: Mapping[str, History], said: Sequence[Said], day: date) -> Mapping[str, Number]:
        matched = {plan_id for pair, band in self.pairs[day].items() if band != "feed" for plan_id in pair}
        joined = together(plans, said)
        return {
            "matched plans": len(matched),
            "value of matched plans": sum(plans[one].pounds for one in matched),
            "realised: value awarded together": sum(plans[one].pounds for one in joined if plans[one].awarded_on),
        }

    def requests(self, day: date) -> dict[str, str]:
        """The extensions that have asked for a benchmark by a day, by plan, and what came of each."""
        asked = [one for one in EXTENSIONS if one.day <= day and _months(one) > 12]
        return {one.plan_id: self._answer(one, day) for one in asked}

    def _answer(self, asked: Extension, day: date) -> str:
        due = asked.day
        for _ in range(10):
            due = next_working_day(due)
        late = [one for one in DAYS if due < one <= day]
        in_time = [one for one in DAYS if asked.day <= one <= day and one not in late[1:]]
        if asked.cpv.startswith("48450") and any(one >= CELL_FROM for one in in_time):
            return "supplied"
        if not late:
            return "requested"
        if "supplied" in answers_to(asked.plan_id, due):
            return "supplied"
        return "withheld" if asked.cpv.startswith("724") and late[0] >= CELL_FROM else "none-available"

    def put_to_others(self, day: date) -> dict[str, set[str]]:
        """The councils that each extension's request was put to by a day, by plan."""
        asked = [one for one in EXTENSIONS if one.day <= day and _months(one) > 12]
        waiting = [one for one in asked if self._answer(one, one.day) == "requested"]
        return {one.plan_id: holders(one, self.plans(one.day)) for one in waiting}

    def _extensions(self, plans: Mapping[str, History], day: date) -> Mapping[str, Number]:
        requests = self.requests(day)
        by_status = Counter(requests.values())
        decided = {one.plan_id for one in self.said(day) if one.kind == "decided"}
        ends = {one.plan_id: one.current_end for one in EXTENSIONS}
        without = [
            plan_id
            for plan_id in requests.keys() - decided
            if plans[plan_id].awarded_on or (plans[plan_id].stands and day > ends[plan_id])
        ]
        statuses = ("requested", "supplied", "none-available", "withheld")
        return {
            "asked for a benchmark": len(requests),
            **{f"benchmark {status}": by_status[status] for status in statuses},
            **enquiry_numbers(self.put_to_others(day), day),
            "decided": len(decided),
            "extended without benchmark": len(without),
        }

    def _invitations(self, said: Sequence[Said]) -> Mapping[str, Number]:
        sent = [one for one in said if one.kind == "invited"]
        asked = {plan_id for one in sent for plan_id in self._guests(one)}
        inviting = {thing(one) for one in sent}
        heard = [one for one in said if thing(one) in inviting and one.kind in ("accept", "join", *OUT)]
        heard = [one for one in heard if any(thing(one) == thing(it) and it.day <= one.day for it in sent)]
        last = {one.plan_id: one.kind for one in heard}
        into = {one.plan_id for one in heard if one.kind in ("accept", "join")}
        accepted = {plan_id for plan_id, kind in last.items() if kind in ("accept", "join")}
        declined = {plan_id for plan_id, kind in last.items() if kind in OUT and kind != "leave"}
        left = [len(working_days(one.day, last_day(one))) for one in sent]
        # Only whoever was asked answers an invitation; the same story has no second one.
        first = {one.plan_id: one.day for one in reversed(heard) if one.kind != "leave" and one.plan_id in asked}
        taken = [(day - next(one.day for one in sent if _same(one, plan_id))).days for plan_id, day in first.items()]
        asked |= into | declined
        return {
            "sent": len(sent),
            "under 20 working days": sum(days < 20 for days in left),
            "working days": float(median(left)) if left else None,
            "days to answer": float(median(taken)) if taken else None,
            "asked": len(asked),
            "accepted": len(accepted),
            "declined": len(declined),
            "no answer": len(asked - last.keys()),
        }

    def reminders(self) -> Counter[tuple[str, date]]:
        """How often each invited council is reminded, and on which day.

        At half time and five working days before the last day, unless the two are close: then only the later one.
        """
        found: Counter[tuple[str, date]] = Counter()
        for asked in (one for one in self.said(DAYS[-1]) if one.kind == "invited"):
            allowed = working_days(asked.day, last_day(asked))
            half, late = allowed[len(allowed) // 2 - 1], allowed[-6]
            days = [late] if len(working_days(half, late)) < 3 else [half, late]
            for plan_id in self._guests(asked):
                answers = [one.day for one in scenario.ANSWERS if one.plan_id == plan_id and one.day > asked.day]
                for day in days:
                    first = min(one for one in DAYS if one >= day)
                    if first <= allowed[-1] and not any(answered < first for answered in answers):
                        found[plan_id, first] += 1
        return found

    def _guests(self, invitation: Said) -> list[str]:
        """Whom an invitation asked: those it names, the partner, or all others of the story that had not said no."""
        if invitation.about == "pair":
            return [invitation.partner]
        if "plan_ids" in invitation.said:
            return list(invitation.said["plan_ids"])
        key = invitation.plan_id.split(":")[1]
        return [one for one in self.plans(invitation.day) if one.endswith(f":{key}") and one != invitation.plan_id]

    def _contracts(self, day: date) -> Mapping[str, Number]:
        newest = {one.payload.contract_id: one.payload for one in scenario.CONTRACTS if one.day <= day}
        shared = [one for one in newest.values() if isinstance(one, ContractPublished)]
        signatories = [one.sharing.signatories or one.sharing.public for one in shared]
        return {
            "shared": len(shared),
            "with prices": sum(bool(one.prices) for one in shared),
            "prices withheld": sum(one.withheld is not None for one in shared),
            "with ratings": sum(bool(one.performance) for one in shared),
            "open to signatories": sum(opens is not None and opens <= day for opens in signatories),
            "public": sum(one.sharing.public is not None and one.sharing.public <= day for one in shared),
        }


def _sharing_ahead(plans: Mapping[str, History]) -> Mapping[str, Number]:
    days = [(one.state.tender_window.earliest - one.shared_on).days for one in plans.values() if one.shared_on]
    return {
        "median days": float(median(days)) if days else None,
        "over 12 months": sum(ahead > 365 for ahead in days),
        "6 to 12 months": sum(182 <= ahead <= 365 for ahead in days),
        "under 6 months": sum(90 <= ahead < 182 for ahead in days),
        "under 90 days": sum(0 <= ahead < 90 for ahead in days),
        "after the window opened": sum(ahead < 0 for ahead in days),
    }


def _freshness(plans: Mapping[str, History], day: date) -> Mapping[str, Number]:
    shared = [one for one in plans.values() if one.stands and one.own and one.state.sharing != "private"]
    old = [one for one in shared if (day - one.own[-1].day).days > 182]
    return {"shared plans": len(shared), "not confirmed": len(old)}


def _routes(plans: Mapping[str, History], said: Sequence[Said], day: date) -> Mapping[str, Number]:
    tendered = {
        plan_id: one.tendered_on
        for plan_id, one in plans.items()
        if one.shared_on and one.tendered_on and (day - one.tendered_on).days < 365
    }
    looked = [one for one in said if one.kind == "route" and one.day <= (tendered.get(one.plan_id) or date.min)]
    recorded = {one.plan_id for one in looked}
    return {
        "tendered": len(tendered),
        "with a route record": len(recorded),
        "without a route record": len(tendered.keys() - recorded),
        "frameworks looked at": len({one.plan_id for one in looked if one.said["step"] == "framework"}),
    }


def _months(one: Extension) -> int:
    """Months past the first end, once the contract is extended; all of the ends are last days of months."""
    ran = (one.current_end.year - one.first_end.year) * 12 + one.current_end.month - one.first_end.month
    return ran + one.months


def _same(invitation: Said, plan_id: str) -> bool:
    """Whether an invitation is about the story of a plan."""
    return invitation.plan_id.split(":")[1] == plan_id.split(":")[1]


def _day(found: date | None) -> date:
    assert found is not None
    return found
