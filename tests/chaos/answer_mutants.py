"""Seeded bugs in what authorities answer and share, and in what of it is told to whom."""

from __future__ import annotations

from typing import Final

from tests.chaos.mutant import Edit, Mutant

COALITIONS: Final = "tests/integration/test_coalitions.py"
ANSWERS: Final = "tests/unit/domain/test_coalition_answers.py"
UNDO: Final = "tests/unit/domain/test_coalition_undo.py"
STANDING: Final = "tests/integration/test_coalition_standing.py"
CONTRACTS: Final = "tests/integration/test_contracts.py"
EXTENSIONS: Final = "tests/integration/test_extensions.py"
ENQUIRIES: Final = "tests/integration/test_benchmark_enquiries.py"
ENQUIRIES_UNIT: Final = "tests/unit/domain/test_benchmark_enquiries.py"
ROUTES: Final = "tests/integration/test_routes.py"
INTRODUCTIONS: Final = "tests/integration/test_introductions.py"

ANSWER_MUTANTS: Final = (
    Mutant(
        "answers: twins minted",
        [
            Edit(
                "services/coalitions/writing.py",
                "match_groups(list(current.values()), region.suggestions)",
                "match_groups([], region.suggestions)",
            )
        ],
        [f"{COALITIONS}::test_two_processes_side_by_side_mint_no_twins"],
    ),
    Mutant(
        "answers: freeze ignored",
        [
            Edit(
                "services/domain/coalition_answers.py",
                "    if coalition.status is CoalitionStatus.FROZEN:\n        raise",
                "    if coalition.status is None:\n        raise",
            )
        ],
        [f"{ANSWERS}::test_what_is_refused"],
    ),
    Mutant(
        "answers: reply after the deadline taken",
        [
            Edit(
                "services/domain/coalition_answers.py",
                "    if today > coalition.invitation.reply_by:\n",
                "    if today < coalition.invitation.invited_on:\n",
            )
        ],
        [f"{ANSWERS}::test_what_is_refused"],
    ),
    Mutant(
        "answers: an undo overwrites what others did since",
        [
            Edit(
                "services/domain/coalition_undo.py",
                "        if getattr(before, name) != getattr(after, name) and",
                "        if True or",
            )
        ],
        [f"{UNDO}::test_what_an_undo_restores", f"{STANDING}::test_an_undo_leaves_what_others_did_since"],
    ),
    Mutant(
        "answers: a plan in two coalitions that have formed",
        [
            Edit(
                "services/coalitions/writing.py",
                "    return drop_members(coalition, taken) if taken else coalition\n",
                "    return coalition\n",
            )
        ],
        [f"{STANDING}::test_the_first_coalition_to_form_keeps_a_shared_plan"],
    ),
    Mutant(
        "answers: a plan that is gone comes back",
        [
            Edit(
                "services/domain/coalition_bars.py",
                "        change = self.changed.get(plan_id)\n",
                "        change: PlanChange | None = None\n",
            )
        ],
        [f"{ANSWERS}::test_what_is_refused", f"{STANDING}::test_a_plan_that_is_gone_does_not_come_back"],
    ),
    Mutant(
        "answers: silence taken for yes",
        [
            Edit(
                "services/domain/coalition.py",
                "    for member in overdue:\n"
                "        coalition = replace_member(coalition, replace(member, state=MemberState.LAPSED))\n",
                "    for member in overdue:\n"
                "        coalition = replace_member(coalition, replace(member, state=MemberState.ACCEPTED))\n",
            )
        ],
        [
            "tests/unit/domain/test_coalition.py::test_silence_lapses_and_is_never_a_yes",
            f"{COALITIONS}::test_nobody_answers_in_time",
        ],
    ),
    Mutant(
        "answers: declined member told again",
        [
            Edit(
                "services/domain/coalition_notices.py",
                "        for member in coalition.in_state(MemberState.INVITED):\n",
                "        for member in coalition.in_state(MemberState.INVITED, MemberState.DECLINED):\n",
            )
        ],
        ["tests/unit/domain/test_coalition_notices.py::test_who_is_told_what"],
    ),
    Mutant(
        "answers: one yes introduces both",
        [
            Edit(
                "services/domain/introduction.py",
                "    if one.answer is not IntroductionAnswer.YES or other.answer is not IntroductionAnswer.YES:\n",
                "    if one.answer is not IntroductionAnswer.YES and other.answer is not IntroductionAnswer.YES:\n",
            ),
            Edit(
                "services/domain/introduction.py",
                "    return abs((one.on - other.on).days) <= FINAL_DAYS",
                "    return True",
            ),
            Edit(
                "services/domain/introduction.py",
                "    assert one.on is not None\n    assert other.on is not None\n",
                "",
            ),
            Edit(
                "services/store/introductions.py",
                "if len(both) == 2 and is_agreed(*both.values())",
                "if is_agreed(*both.values(), *both.values())",
            ),
        ],
        [f"{INTRODUCTIONS}::test_one_yes_tells_nothing_of_either_plan"],
    ),
    Mutant(
        "answers: a no is asked again",
        [
            Edit(
                "services/domain/introduction.py",
                "            return today if _is_over(other.on, today) and _is_over(other.asked_on, today) else None\n",
                "            return today\n",
            )
        ],
        ["tests/unit/domain/test_introduction.py"],
    ),
    Mutant(
        "answers: a stranger told of a coalition",
        [
            Edit(
                "services/coalitions/response_rules.py",
                "    if row is None or not row.coalition.names(payload.plan_id):\n",
                "    if row is None:\n",
            )
        ],
        [f"{COALITIONS}::test_a_stranger_learns_nothing_of_a_coalition"],
    ),
    Mutant(
        "answers: an id used up by another council",
        [
            Edit(
                "services/coalitions/response_handler.py",
                "responses.load(session, payload.speaker, payload.response_id)",
                "responses.given_for(session, payload.authority, payload.response_id, payload.speaker)",
            )
        ],
        ["tests/integration/test_party_acts.py::test_nobody_uses_up_an_id_of_another_s_answers"],
    ),
    Mutant(
        "answers: an own act told",
        [
            Edit(
                "services/notifier/event_handler.py",
                "                if apart and news.authority != actor\n",
                "                if apart\n",
            )
        ],
        ["tests/integration/test_suggestion_emails.py::test_nobody_is_told_of_its_own_act"],
    ),
    Mutant(
        "answers: a group of which one plan is shared no longer is told",
        [
            Edit(
                "services/notifier/plan_details.py",
                "if plan is None or plan.status != Status.ACTIVE or not is_open(plan.state):",
                "if plan is None:",
            )
        ],
        ["tests/integration/test_suggestion_emails.py::test_what_is_shared_no_longer_is_told_no_more"],
    ),
    Mutant(
        "routes: a step taken back still counts",
        [
            Edit(
                "services/store/responses.py",
                "            col(ResponseRow.undone_by).is_(None),\n            about,\n",
                "            about,\n",
            )
        ],
        [f"{ROUTES}::test_a_record_is_kept_shown_and_taken_back"],
    ),
    Mutant(
        "contracts: other content under a known revision taken",
        [
            Edit(
                "services/store/contracts.py",
                "where=col(ContractRow.revision) < statement.excluded.revision",
                "where=col(ContractRow.revision) <= statement.excluded.revision",
            )
        ],
        [f"{CONTRACTS}::test_a_revision_with_other_content_is_a_dead_letter"],
    ),
    Mutant(
        "contracts: an older revision comes back",
        [
            Edit(
                "services/store/contracts.py",
                "where=col(ContractRow.revision) < statement.excluded.revision",
                "where=col(ContractRow.revision) != statement.excluded.revision",
            )
        ],
        [f"{CONTRACTS}::test_the_newest_revision_stands_in_any_order"],
    ),
    Mutant(
        "benchmarks: told again at every look",
        [
            Edit(
                "services/coalitions/benchmark_requests.py",
                "        if answered != request:\n",
                "        if answered is not None:\n",
            )
        ],
        [f"{EXTENSIONS}::test_an_extension_asks_once_however_often_it_is_looked_at"],
    ),
    Mutant(
        "enquiries: a council is asked again at every look",
        [
            Edit(
                "services/domain/benchmark_enquiries.py",
                "one.authority != request.authority and one.authority not in asked]",
                "one.authority != request.authority]",
            )
        ],
        [f"{ENQUIRIES_UNIT}::test_those_asked_longest_ago_come_first"],
    ),
    Mutant(
        "enquiries: a council that shares only a match is named",
        [
            Edit(
                "services/domain/disclosure.py",
                "        return Requester()\n",
                "        return Requester(authority)\n",
            )
        ],
        [f"{ENQUIRIES}::test_a_plan_that_shares_only_a_match_asks_without_a_name"],
    ),
    Mutant(
        "enquiries: an answer counts after the request was closed",
        [
            Edit(
                "services/domain/benchmark_enquiries.py",
                "    if not takes_answers(enquiry, request, today):\n",
                "    if today > enquiry.due_on:\n",
            )
        ],
        [f"{ENQUIRIES}::test_without_a_price_the_answers_close_the_request"],
    ),
)
