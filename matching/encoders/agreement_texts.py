"""Texts for comparing two engines of a model: typical purchases of councils in the words of the CPV, as titles and as
descriptions of two to twelve sentences. They are the same on every machine; none is from a notice."""

import re

from matching import reference

_TITLES = (
    "{a}",
    "Provision of {a}",
    "{a} and {b}",
    "Supply, delivery and installation of {a}",
    "Framework agreement for {a}, {b} and {c}",
    "{a} for schools and council offices (renewal)",
)
_SENTENCES = (
    "The council needs {a} for its schools, libraries, depots and offices.",
    "This is for {a}, with {b} where residents ask for it.",
    "{a} must be delivered within five working days, in the evening or at weekends if need be.",
    "The work includes {a}, {b} and {c}, and the training of staff.",
    "It replaces an old arrangement for {a} that no longer meets what the service needs.",
    "Children, young people and adults with care and support needs will use {a}.",
    "Routine visits, planned maintenance and emergency call-outs are part of it, as is {b}.",
    "Records move from the present system to a hosted one, with an interface to {a}.",
    "There are about 240 sites, some of them listed buildings, and most use {a} already.",
    "Lots: north, {a}; south, {b}; the whole area, {c}.",
    "Safe disposal and recycling of {a} are part of the price.",
    "Housing tenants and leaseholders have asked for better {a} and less disruption.",
)


def probe_texts(count: int) -> list[str]:
    """Build this many texts, of every length that plans have, alternating titles and descriptions."""
    labels = _labels()
    return [_text(number, labels) for number in range(count)]


def _labels() -> list[str]:
    return [re.sub(r"\s+", " ", label.rstrip(". ")) for _, label in sorted(reference.cpv_labels().items())]


def _text(number: int, labels: list[str]) -> str:
    # Steps coprime to the number of labels visit all of them.
    words = [labels[(number * 7919 + place * 104_729) % len(labels)] for place in range(24)]
    if number % 2 == 0:
        return _filled(_TITLES[number // 2 % len(_TITLES)], words, 0)
    sentences = 2 + number // 2 % 11
    return " ".join(
        _filled(_SENTENCES[(number + place * 5) % len(_SENTENCES)], words, place) for place in range(sentences)
    )


def _filled(form: str, words: list[str], place: int) -> str:
    a, b, c = (words[(place + step) % len(words)] for step in range(3))
    # A label is lower case inside a sentence, except for abbreviations.
    inside = [word if word[:2].isupper() else word[:1].lower() + word[1:] for word in (a, b, c)]
    text = form.format(a=inside[0], b=inside[1], c=inside[2])
    return text[:1].upper() + text[1:]
