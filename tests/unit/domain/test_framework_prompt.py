"""What is said of frameworks beside a match: how many to check, and which ones cover the plans of others, too."""

from services.domain.framework_prompt import check_first, framework_prompts

RM, YPO, ESPO = {"RM6259": "Business software"}, {"YPO-12": "HR and payroll"}, {"ESPO-3": "Payroll bureau"}


def test_a_framework_that_covers_only_the_own_plan_is_to_be_checked() -> None:
    assert check_first(0) is None
    assert framework_prompts({}, {"Hull": RM}) == (), "what covers only the plans of others is theirs to check"
    assert framework_prompts(RM, {"Hull": YPO, "York": {}}) == ("Check first: 1 framework covers this.",)


def test_frameworks_that_cover_several_plans_are_to_be_used_jointly() -> None:
    assert framework_prompts(ESPO | RM | YPO, {"Hull": RM | YPO, "York": YPO}) == (
        "Check first: 3 frameworks cover this.",
        "Use jointly: HR and payroll (YPO-12) also covers what Hull and York plan.",
        "Use jointly: Business software (RM6259) also covers what Hull plans.",
    )


def test_long_lists_and_foreign_text_are_cut() -> None:
    councils = {f"Council {number}": {"X": "A\ntitle"} for number in range(6)}
    _, line = framework_prompts({"X": "A\ntitle"}, councils)
    assert line == (
        "Use jointly: A title (X) also covers what Council 0, Council 1, Council 2, Council 3 and 2 more plan."
    )
