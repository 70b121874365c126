"""The opening sentences of one block of an email: who plans the same, when, and who takes the first step. Pure."""

from collections.abc import Sequence
from typing import Final

from matching.text.formatting import join_words
from services.notifier.rendering.need_council import NeedCouncil, labels
from services.notifier.rendering.phrases import count_words

_EXTEND: Final = "would first have to extend"


def opening(plan_id: str, councils: Sequence[NeedCouncil], lead: str | None, names: Sequence[str]) -> str:
    """Say who plans the same, whose dates meet, and who is suggested to take the first step.

    `names`: the councils' names, each once. `lead`: the plan suggested to lead.
    """
    who = names[0] if len(names) == 1 else f"{count_words(len(names)).capitalize()} councils"
    said = [f"{who} {'plans' if len(names) == 1 else 'plan'} to buy this{_when(councils)}", *_fits(councils)]
    step = ("bring", "the group together") if any(one.in_group for one in councils) else ("write", "first")
    leader = next((one.name for one in councils if one.plan_id == lead), None)
    if lead == plan_id:
        said.append(f"We suggest you {' '.join(step)}.")
    elif leader is not None:
        said.append(f"We suggest {leader} {step[0]}s {step[1]}.")
    return " ".join(said)


def condition(councils: Sequence[NeedCouncil]) -> str:
    """Who has to extend a contract before these days come true: "if Leeds extends"; empty if nobody has to."""
    names = _named([one for one in councils if one.extends])
    names += ["you"] if any(one.reader_extends for one in councils) else []
    if not names:
        return ""
    return f"if {join_words(names, 8)} {'extends' if len(names) == 1 and names != ['you'] else 'extend'}"


def _named(councils: Sequence[NeedCouncil]) -> list[str]:
    return list(dict.fromkeys(one.name for one in councils))


def _fits(councils: Sequence[NeedCouncil]) -> list[str]:
    """Say which of them fit each other, as far as that is known: of pairs alone it is not."""
    grouped, alone = _named([one for one in councils if one.in_group]), [one for one in councils if not one.in_group]
    if not grouped:
        return ["Each fits your plan."] if len(alone) > 1 else []
    if not alone:
        return []
    again = [one for one in alone if one.name in grouped]
    others = _named([one for one in alone if one.name not in grouped])
    said = [f"{join_words(['You', *grouped], 8)} all fit together."]
    if len(others) == 1:
        said.append(f"{others[0]}'s plan fits yours alone.")
    elif others:
        said.append(f"The plans of {join_words(others, 7)} fit yours alone.")
    said += [f"{one.name}'s other plan{f', {one.title},' if one.title else ''} fits yours alone." for one in again]
    return said


def _when(councils: Sequence[NeedCouncil]) -> str:
    """Say which of them go to tender when the reader does, and who would have to extend a contract for that."""
    apart = [one for one in councils if one.near_miss]
    if any(one.extends or one.reader_extends for one in councils):
        return f". {_with_extensions(councils, apart)}."
    if not apart:
        return " when you do."
    if len(apart) == len(councils):
        return ", but not when you do."
    return f" when you do, but the dates of {_listed(apart, councils)} do not meet yours."


def _with_extensions(councils: Sequence[NeedCouncil], apart: Sequence[NeedCouncil]) -> str:
    ready = [one for one in councils if not (one.extends or one.reader_extends or one.near_miss)]
    they = [one for one in councils if one.extends]
    reader = [one for one in councils if one.reader_extends]
    said = []
    if ready:
        said.append(f"the dates of {_listed(ready, councils)} meet yours")
    if they:
        contracts = "its present contract" if len(they) == 1 else "their present contracts"
        said.append(f"{_listed(they, councils)} {_EXTEND} {contracts}")
    if reader:
        limited = "" if len(reader) == len(councils) else f"with {_listed(reader, councils)}, "
        said.append(f"{limited}you " + ("would" if they and limited else f"{_EXTEND} your present contract"))
    if apart:
        said.append(f"the dates of {_listed(apart, councils)} do not meet yours")
    text = "; ".join(said)
    return text[0].upper() + text[1:]


def _listed(some: Sequence[NeedCouncil], councils: Sequence[NeedCouncil]) -> str:
    label = labels(councils)
    return join_words([label[one.plan_id] for one in some], 7)
