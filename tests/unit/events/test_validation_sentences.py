"""What a publisher reads of a field that is wrong: a sentence, and never the input."""

from typing import Any

import pytest
from pydantic import ValidationError

from events.plans import PlanPublished
from events.validation_sentences import describe_validation_error

GOOD: dict[str, Any] = {
    "plan_id": "E08000035:HR-1",
    "revision": 1,
    "authority": "E08000035",
    "title": "HR and payroll system",
    "kind": "new",
    "tender_window": {"earliest": "2027-03-01", "latest": "2027-06-30"},
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": ""}, "title: is empty"),
        ({"title": 7}, "title: must be text"),
        ({"title": "x" * 5000}, "title: has more than 500 characters"),
        ({"kind": "purchase"}, "kind: must be 'new', 'renewal', 'extension' or 'project'"),
        ({"revision": "two"}, "revision: must be a whole number"),
        ({"revision": 0}, "revision: must be at least 1"),
        ({"tender_window": {"earliest": "2027-03-01"}}, "tender_window.latest: is missing"),
        (
            {"tender_window": {"earliest": "soon", "latest": "2027-06-30"}},
            "tender_window.earliest: must be a day, as 2027-09-30",
        ),
        ({"value": {"amount": "much"}}, "value.amount: must be a number"),
        ({"cpv": "48000000"}, "cpv: must be a list"),
        ({"tender_window": []}, "tender_window: must be an object"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_must_be(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PlanPublished.model_validate(GOOD | changes)
    assert describe_validation_error(caught.value) == sentence
