"""Whether a newly formed group is one that exists already: by its members. Pure."""

from collections.abc import Collection, Iterable, Sequence

from services.domain.coalition import Coalition, Suggestion


def is_same_group(one: Collection[str], other: Collection[str]) -> bool:
    """Whether two sets of plans count as the same group: they share at least half of the smaller one."""
    shared = len(set(one) & set(other))
    return 2 * shared >= min(len(one), len(other)) > 0


def match_groups(
    coalitions: Sequence[Coalition], suggestions: Iterable[Suggestion]
) -> tuple[dict[str, Suggestion], list[Suggestion]]:
    """Assign suggestions to the coalitions that they continue, by coalition id; return the new suggestions, too.

    Older coalitions choose first, and take the suggestion that shares most plans with them. `coalitions` are ordered
    by age.
    """
    open_suggestions = sorted(suggestions, key=lambda one: sorted(one.plan_ids))
    continued: dict[str, Suggestion] = {}
    taken: set[frozenset[str]] = set()
    for coalition in coalitions:
        plans = {member.plan_id for member in coalition.members}
        same = [one for one in open_suggestions if is_same_group(plans, one.plan_ids)]
        free = [one for one in same if one.plan_ids not in taken]
        if free:
            best = max(free, key=lambda one: len(plans & one.plan_ids))
            continued[coalition.coalition_id] = best
            taken.add(best.plan_ids)
    return continued, [one for one in open_suggestions if one.plan_ids not in taken]
