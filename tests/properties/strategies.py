"""Random plans for the laws: few words, few places, so that likeness and gates both happen often."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import settings
from hypothesis import strategies as st

from matching.assessment import Band
from matching.engine import Features
from matching.plan import Kind, Plan, Sharing, Stage, Status, Window
from tests.unit.matching.builders import CAMDEN, GLASGOW, ISLINGTON, LEEDS, YORK, features

WORDS = ("payroll", "human", "resources", "system", "cleaning", "school", "insurance", "fleet", "parking", "Oracle")
CODES = ("48450000", "72000000", "90910000", "66510000", "45000000", "85000000")
FIRST = date(2027, 1, 1)

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
days = st.integers(0, 900).map(lambda n: FIRST + timedelta(days=n))


@st.composite
def plans(draw: st.DrawFn, *, number: int = 1) -> Plan:
    """Any plan, gated or not."""
    authority = draw(st.sampled_from([LEEDS, YORK, CAMDEN, ISLINGTON, GLASGOW, "E07000026", "E06000063", "GB-X-1"]))
    start = draw(days)
    contract = draw(st.none() | st.integers(-900, 900).map(lambda n: start + timedelta(days=n)))
    return Plan(
        plan_id=f"{authority}:{number}-{draw(st.integers(0, 3))}",
        revision=1,
        authority=authority,
        title=draw(texts),
        description=draw(st.just("") | texts),
        tender_window=Window(start, start + timedelta(days=draw(st.integers(0, 200)))),
        kind=draw(st.sampled_from(Kind)),
        stage=draw(st.sampled_from([Stage.PLANNED] * 4 + [Stage.TENDERING])),
        status=draw(st.sampled_from([Status.ACTIVE] * 6 + [Status.WITHDRAWN, Status.AWARDED])),
        cpv=tuple(draw(st.lists(st.sampled_from(CODES), max_size=2, unique=True))),
        value=draw(st.none() | st.floats(0, 5e6)),
        contract_start=contract,
        contract_end=None if contract is None else contract + timedelta(days=draw(st.integers(0, 1500))),
        extension_months=draw(st.sampled_from([0, 0, 6, 24])),
        regions=tuple(draw(st.lists(st.sampled_from(["TLI3", "TLE42", "UKM", "UK"]), max_size=2, unique=True))),
        sharing=draw(st.sampled_from([Sharing.OPEN] * 4 + [Sharing.MATCH_ONLY, Sharing.PRIVATE])),
    )


@st.composite
def meetings(draw: st.DrawFn) -> tuple[Features, Features]:
    """Two plans for the same that nothing but time can part: their windows begin within two months."""
    start = draw(days)
    later = start + timedelta(days=draw(st.integers(0, 60)))
    base = draw(plans())
    same = {"stage": Stage.PLANNED, "status": Status.ACTIVE, "sharing": Sharing.OPEN, "value": None, "regions": ()}
    one, other = (
        replace(
            base,
            plan_id=f"{authority}:1",
            authority=authority,
            tender_window=Window(first, first + timedelta(days=draw(st.integers(30, 300)))),
            **same,
        )
        for authority, first in ((CAMDEN, start), (ISLINGTON, later))
    )
    return features(one), features(other)


def pairs() -> st.SearchStrategy[tuple[Features, Features]]:
    """The features of two plans with different ids."""
    return st.tuples(plans(number=1), plans(number=2)).map(lambda two: (features(two[0]), features(two[1])))


many = settings(max_examples=120)
today = st.integers(-200, 1000).map(lambda n: date(2027, 1, 1) + timedelta(days=n))
BANDS = (Band.NONE, Band.FEED, Band.DIGEST, Band.NOTIFY)
