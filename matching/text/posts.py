"""Tells from a title alone whether a plan seeks a post or a team: "Scrum master", "Social worker (locum)"."""

import re
from typing import Final

_MOST_WORDS: Final = 7
"""A longer description says what the work is, and the scorer reads the nature from it."""

# Firms and things that end as a post does: "development partner", "funeral director", "48 seat coach".
_NO_POST: Final = re.compile(
    r"\b(?:development|developer|venture|land|disposal|regeneration|housing|insurance) partners?$"
    r"|\b(?:fund|investment|asset|cost|property|estate|pensions?|password|content|session|device|queue) managers?$"
    r"|\bfuneral directors?$|\b(?:enforcement|security) officers?$|\b(?:design|professional|surveying) teams?$"
    r"|\b(?:contract|fund|pensions?|scheme|claims) administrators?$|\b(?:carers|teaching|classroom) assistants?$"
    r"|\b(?:virtual|voice) assistants?$|\bprint managers?$"
    r"|^(?:agency|temporary|supply|provision|recruitment)\b",
    re.I,
)
_POST: Final = re.compile(
    r"\b(?:(?:(?<!case )(?<!facilities )managers?|directors?|officers?|analysts?|developers?|researchers?|specialists?"
    r"|testers?|programmers?|coordinators?|co-ordinators?|administrators?|practitioners?|assistants?|attendants?"
    r"|chauffeurs?|psychologists?|physicians?|therapists?|nurses?|midwife|midwives|scientists?|teams?"
    r"|(?:technical|tech|practice|delivery|design|team|project|programme|clinical) leads?"
    r"|subject matter experts?|scrum masters?|(?:product|service|process|architect) owners?"
    r"|(?:social|support|youth|case|family) workers?|(?:agile|transformation|delivery) coach(?:es)?"
    r"|(?:content|service|interaction|user experience|ux|ui) designers?"
    r"|(?:technical|technology|solutions?|enterprise|data|security|software|systems?|network) architects?"
    r"|(?:devops|software|data|test|platform|cloud|systems?|network|infrastructure|automation) engineers?"
    r"|(?:delivery|transformation|digital|capability) partners?)(?= of |$)|head of (?!terms)\w)",
    re.I,
)
# What follows the post: "for the tax system", "- customer services", "(locum)", "2", "x 2".
_REST: Final = re.compile(r"\b(?:for|to|in|with|on|at|from|who|required|needed)\b|\s[-\u2013]\s|[(;:,/|]", re.I)
# The post may come last, "Customer services - Business analyst": not after "for", which tells who uses the purchase.
_LAST: Final = re.compile(r"\s[-\u2013]\s|[(:]")
_TEAM: Final = re.compile(r"\bteams?$", re.I)
_NUMBER: Final = re.compile(r"(?: x)? ?\d{1,3}$", re.I)
_FOR_A_WHILE: Final = re.compile(r"\((?:locum|interim|fixed[- ]term|maternity cover)\)?$", re.I)


def is_post(title: str, description: str) -> bool:
    """Whether a plan without a description seeks a post or a team, by the first or the last part of its title.

    >>> is_post("Product owner for a customer portal", "")
    True
    >>> is_post("Training for product owners", "")
    False
    >>> is_post("Development partner", "")
    False
    """
    if len(description.split()) > _MOST_WORDS:
        return False
    parts = [_opening(part) for part in _LAST.split(title) if part.strip()]
    ends = parts[:1] + [part for part in parts[1:][-1:] if not _TEAM.search(part)]
    return bool(_FOR_A_WHILE.search(title.strip())) or any(_names_a_post(part) for part in ends)


def _opening(part: str) -> str:
    """The first words of a part of a title, without a purpose that follows and without a number of posts."""
    said = (words.strip() for words in _REST.split(part))
    return _NUMBER.sub("", next((words for words in said if words), ""))


def _names_a_post(part: str) -> bool:
    return bool(_POST.search(part)) and not _NO_POST.search(part)
