"""What a state means for who was told what before."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.notification_rules import NOTHING, Preferences, effective_purpose, plan_notifications
from tests.unit.notifier.making import CAMDEN, LEEDS, side, state


@dataclass(frozen=True)
class Before:
    """An earlier intent towards Leeds."""

    material_revision: int = 1
    authority: str = LEEDS
    band: str = "notify"
    change: str = "new"
    state: str = "sent"
    possibly_delivered: bool = False


def to_leeds(after: object, *before: Before) -> tuple[str, str, bool] | None:
    found = [news for news in plan_notifications(after, before).drafts if news.authority == LEEDS]  # type: ignore[arg-type]
    return (found[0].purpose, found[0].change, found[0].only_if_notified) if found else None


WITHDRAWN = state(material=2, status="withdrawn")


@pytest.mark.parametrize(
    ("after", "before", "expected"),
    [
        # nothing before
        (state(), [], ("immediate", "new", False)),
        (state(band="digest"), [], ("digest", "new", False)),
        (state(band="feed"), [], None),
        # what nobody has confirmed interrupts nobody
        (state(side(LEEDS, origin="derived")), [], ("digest", "new", False)),
        (state(side(LEEDS), side(CAMDEN, origin="derived")), [], ("digest", "new", False)),
        (state(side(LEEDS, origin="notice")), [], ("immediate", "new", False)),
        (WITHDRAWN, [], None),
        # told, and changed
        (state(material=2), [Before()], ("immediate", "moved", False)),
        (state(material=2), [Before(band="digest")], ("immediate", "stronger", False)),
        (state(material=2, band="digest"), [Before()], ("digest", "weaker", False)),
        (state(material=2, band="feed"), [Before()], ("digest", "weaker", True)),
        (state(material=2, band="feed"), [Before(band="feed")], None),
        (state(material=3), [Before(1), Before(2, change="withdrawn")], ("immediate", "again", False)),
        (state(material=3, band="feed"), [Before(1), Before(2, change="withdrawn")], None),
        # withdrawn: whatever may have arrived is corrected, and only that
        (WITHDRAWN, [Before(state="sent")], ("correction", "withdrawn", True)),
        (WITHDRAWN, [Before(state="sending")], ("correction", "withdrawn", True)),
        (WITHDRAWN, [Before(state="ambiguous")], ("correction", "withdrawn", True)),
        (WITHDRAWN, [Before(state="queued", possibly_delivered=True)], ("correction", "withdrawn", True)),
        (WITHDRAWN, [Before(state="pending")], None),
        (WITHDRAWN, [Before(state="queued")], None),
        (WITHDRAWN, [Before(state="failed")], None),
        (WITHDRAWN, [Before(state="cancelled")], None),
        (WITHDRAWN, [Before(authority=CAMDEN)], None),
        # the last thing told counts, not the last thing meant
        (
            state(material=3, status="withdrawn"),
            [Before(1), Before(2, state="pending")],
            ("correction", "withdrawn", True),
        ),
        (state(material=4, status="withdrawn"), [Before(1), Before(2, change="withdrawn")], None),
        # old news, and what must not travel
        (state(material=2), [Before(material_revision=2)], None),
        (state(material=1), [Before(material_revision=2)], None),
        (state(side(LEEDS, sharing="private")), [], None),
        (state(side(LEEDS), side(CAMDEN, sharing="private")), [], None),
    ],
)
def test_what_a_state_means(after: object, before: list[Before], expected: object) -> None:
    assert to_leeds(after, *before) == expected


def test_both_sides_are_told_of_each_other() -> None:
    assert {(news.authority, news.partner) for news in plan_notifications(state(), ()).drafts} == {
        (LEEDS, CAMDEN),
        (CAMDEN, LEEDS),
    }


def test_everything_waiting_is_outdated_by_a_newer_state() -> None:
    assert plan_notifications(state(material=2), [Before(state="pending")]).outdated == "superseded"
    assert plan_notifications(WITHDRAWN, [Before(state="pending")]).outdated == "withdrawn"
    assert plan_notifications(state(material=1), [Before()]) == NOTHING


befores = st.builds(
    Before,
    material_revision=st.integers(1, 5),
    authority=st.sampled_from([LEEDS, CAMDEN]),
    band=st.sampled_from(["notify", "digest", "feed"]),
    change=st.sampled_from(["new", "withdrawn", "moved"]),
    state=st.sampled_from(["pending", "queued", "sending", "sent", "ambiguous", "failed", "cancelled"]),
    possibly_delivered=st.booleans(),
)
states = st.builds(
    lambda material, band, status: state(material=material, band=band, status=status),
    st.integers(1, 6),
    st.sampled_from(["notify", "digest", "feed"]),
    st.sampled_from(["active", "withdrawn"]),
)


@given(states, st.lists(befores, max_size=4))
def test_laws(after: object, before: list[Before]) -> None:
    means = plan_notifications(after, before)  # type: ignore[arg-type]
    if any(b.material_revision >= after.material_revision for b in before):  # type: ignore[attr-defined]
        assert means == NOTHING
    for news in means.drafts:
        told = [
            b
            for b in before
            if b.authority == news.authority and (b.possibly_delivered or b.state in ("sent", "sending", "ambiguous"))
        ]
        assert told or not news.only_if_notified, "only who was told can be corrected"
        assert (news.purpose == "correction") == (after.status == "withdrawn")  # type: ignore[attr-defined]
        assert news.band != "feed" or news.only_if_notified, "a weak match is never told of its own accord"


@pytest.mark.parametrize(
    ("purpose", "immediate", "digest", "takes_part", "expected"),
    [
        ("immediate", True, True, True, "immediate"),
        ("immediate", False, True, True, "digest"),
        ("immediate", True, False, True, "immediate"),
        ("immediate", False, False, True, None),
        ("digest", True, True, True, "digest"),
        ("digest", True, False, True, None),
        ("correction", False, True, True, "correction"),
        ("correction", True, False, True, "correction"),
        ("correction", False, False, True, None),
        ("immediate", True, True, False, None),
        ("correction", True, True, False, None),
    ],
)
def test_wishes(purpose: str, immediate: bool, digest: bool, takes_part: bool, expected: str | None) -> None:
    assert effective_purpose(purpose, Preferences(immediate, digest, takes_part)) == expected  # type: ignore[arg-type]
