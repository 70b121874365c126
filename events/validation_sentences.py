"""Sentences for people about fields that pydantic refused: of events, settings, options and queries."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError


def describe_validation_error(error: ValidationError) -> str:
    """Describe a validation error field by field, without repeating the input."""
    return describe_problems(error.errors(include_url=False, include_input=False))


def describe_problems(problems: Sequence[Mapping[str, Any]]) -> str:
    """Describe pydantic's errors field by field: the first five, and the number of others."""
    found = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'payload'}: {describe_problem(problem)}"
        for problem in problems
    ]
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    return "; ".join(found[:5]) + more


_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of this event",
    "string_type": "must be text",
    "string_too_long": "has more than {max_length} characters",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_long": "has more than {max_length} entries",
    "date_from_datetime_parsing": "must be a day, as 2027-09-30",
    "date_parsing": "must be a day, as 2027-09-30",
    "date_type": "must be a day, as 2027-09-30",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
}
"""Messages for common errors of publishers; other errors keep the library's message."""


def describe_problem(problem: Mapping[str, Any]) -> str:
    """Describe one error of pydantic, without its field: text that follows the field's name and a colon."""
    context = problem.get("ctx", {})
    if problem["type"] == "string_too_short":
        least = context["min_length"]
        return "is empty" if least == 1 else f"has fewer than {least} characters"
    if problem["type"] in _SENTENCES:
        return _SENTENCES[problem["type"]].format(**context)
    return str(problem["msg"]).removeprefix("Value error, ")
