"""Seeded bugs in the scoring of pairs: each breaks one law of tests/properties."""

from __future__ import annotations

from typing import Final

from tests.chaos.mutant import Edit, Mutant

LAWS: Final = "tests/properties/test_matching_laws.py"
PARTS: Final = "tests/properties/test_explanation_laws.py"

SCORING_MUTANTS: Final = (
    Mutant(
        "scoring: the pair in the order of asking",
        [
            Edit(
                "matching/pair_scoring.py",
                " if first.plan.plan_id <= second.plan.plan_id else (second, first)\n    today",
                "\n    today",
            )
        ],
        [f"{LAWS}::test_symmetry"],
    ),
    Mutant(
        "scoring: a value component above 1",
        [
            Edit(
                "matching/components/value.py",
                "np.clip(np.log(total / max(rules.floor, 1.0)) / scale, 0.0, 1.0)",
                "np.maximum(np.log(total / max(rules.floor, 1.0)) / scale, 0.0)",
            )
        ],
        [f"{LAWS}::test_bounds_and_gates_dominate"],
    ),
    Mutant(
        "scoring: a band in spite of a gate",
        [Edit("matching/pair_scoring.py", "band=Band.NONE if closed else limits", "band=limits")],
        [f"{LAWS}::test_bounds_and_gates_dominate"],
    ),
    Mutant(
        "scoring: distance that counts for a pair",
        [Edit("matching/pair_scoring.py", "* region**e.region *", "* (1.0 - region / 2.0) ** e.region *")],
        [f"{LAWS}::test_score_rises_with_each_component"],
    ),
    Mutant(
        "scoring: a signal that counts against a pair",
        [
            Edit(
                "matching/components/specification.py",
                "            weights.cpv * signals.cpv,\n",
                "            -weights.cpv * signals.cpv,\n",
            )
        ],
        [f"{LAWS}::test_specification_rises_with_each_signal"],
    ),
    Mutant(
        "scoring: less time left counts more",
        [
            Edit(
                "matching/components/timing.py",
                "steps[np.clip((np.asarray(decide) - as_of) // rules",
                "steps[np.clip((as_of - np.asarray(decide)) // rules",
            )
        ],
        [f"{LAWS}::test_time_alone_only_closes", f"{PARTS}::test_more_common_days_and_more_time_never_count_less"],
    ),
    Mutant(
        "scoring: a day of review that forgets the preparation",
        [Edit("matching/components/timing.py", "days += [meeting.prepare_by + 1, *(", "days += [*(")],
        [f"{LAWS}::test_nothing_changes_before_the_day_of_review"],
    ),
    Mutant(
        "scoring: white space in a title",
        [Edit("matching/features.py", "    title = squeeze(plan.title)\n", "    title = plan.title\n")],
        [f"{LAWS}::test_order_of_fields_and_white_space_say_nothing"],
    ),
    Mutant(
        "scoring: the category of the first code",
        [Edit("matching/features.py", "infer_category(codes,", "infer_category(plan.cpv[:1],")],
        [f"{LAWS}::test_order_of_fields_and_white_space_say_nothing"],
    ),
    Mutant(
        "scoring: boilerplate as a need",
        [
            Edit(
                "matching/text/cleaning.py",
                "[s for s in every if not _PROCEDURE.search(s)] or every[:1]",
                "every",
            )
        ],
        [f"{LAWS}::test_boilerplate_in_front_says_nothing"],
    ),
    Mutant(
        "scoring: a step at so many words",
        [
            Edit(
                "matching/components/specification.py",
                "    return min(1.0, math.log1p(words) / 5.0)\n",
                "    return float(words >= 15)\n",
            )
        ],
        [f"{LAWS}::test_a_small_edit_moves_it_a_little"],
    ),
    Mutant(
        "scoring: titles at their worst in a search",
        [Edit("matching/candidates/corpus_search.py", "        + w.fuzzy\n", "")],
        [f"{LAWS}::test_search_is_assess_over_all_pairs"],
    ),
    Mutant(
        "scoring: an explanation of another score",
        [
            Edit(
                "matching/explanation/__init__.py",
                "return Component(round(found.meeting.value, 6), saw)",
                "return Component(round(found.meeting.fit, 6), saw)",
            )
        ],
        [f"{PARTS}::test_the_explanation_adds_up_to_the_score"],
    ),
    Mutant(
        "scoring: one signal told for another",
        [
            Edit(
                "matching/explanation/__init__.py",
                '"cpv_from_text": round(s.profile, 3)',
                '"cpv_from_text": round(s.cpv, 3)',
            )
        ],
        [f"{PARTS}::test_the_explanation_adds_up_to_the_score"],
    ),
    Mutant(
        "scoring: large purchases count less",
        [
            Edit(
                "matching/components/specification.py",
                "np.clip(size, 0.0, 1.0))",
                "np.clip(1.0 - size, 0.0, 1.0))",
            )
        ],
        [f"{PARTS}::test_more_money_on_both_sides_never_counts_less"],
    ),
    Mutant(
        "scoring: windows far apart count more",
        [
            Edit(
                "matching/components/timing.py",
                "    return np.where(within_reach(common, rules), steps[step], 0.0)\n",
                "    return np.where(within_reach(common, rules), steps[-1 - step], 0.0)\n",
            )
        ],
        [f"{PARTS}::test_more_common_days_and_more_time_never_count_less"],
    ),
    Mutant(
        "scoring: a scope that lifts a pair",
        [
            Edit(
                "matching/pair_scoring.py",
                "else limits.lowest(policy.bands.of(score), (*held, *brief))",
                "else max(policy.bands.of(score), *(limit.band for limit in (*held, *brief)), key=lambda b: b.rank)",
            )
        ],
        [f"{PARTS}::test_a_known_scope_only_lowers_the_band"],
    ),
    Mutant(
        "scoring: an older revision stays in the corpus",
        [
            Edit(
                "matching/candidates/corpus.py",
                "        self.remove(features.plan.plan_id)\n        self._append",
                "        self._append",
            )
        ],
        [f"{PARTS}::test_the_order_of_arrival_changes_nothing"],
    ),
    Mutant(
        "scoring: a withdrawn plan takes the last one's row along",
        [
            Edit(
                "matching/candidates/plan_index.py",
                "                self._vectors.view[row] = self._vectors.view[last]\n",
                "",
            )
        ],
        [f"{PARTS}::test_the_order_of_arrival_changes_nothing"],
    ),
)
