"""Each rule of compatibility, shown on a schema that breaks it and on one that only grows."""

import copy
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from events import schemas
from events.compatibility import find_breaking_changes
from events.plans import PlanPublished
from events.schemas import payload_types, schema_of
from services.cli import application

SCHEMA = schema_of(PlanPublished)


def changed(path: str, **to: Any) -> dict[str, Any]:
    """The published plan's schema with keywords at a path changed; None takes one away."""
    made = copy.deepcopy(SCHEMA)
    part: Any = made
    for step in path.split("/") if path else []:
        part = part[int(step)] if isinstance(part, list) else part[step]
    for name, value in to.items():
        if value is None:
            part.pop(name, None)
        else:
            part[name] = value
    return made


def without_property(name: str) -> dict[str, Any]:
    made = copy.deepcopy(SCHEMA)
    del made["properties"][name]
    return made


BREAKING = [
    ("a property removed", without_property("description"), "description: the property was removed"),
    ("newly required", changed("", required=[*SCHEMA["required"], "regions"]), "regions: is newly required"),
    ("required further in", changed("$defs/Contract", required=["end"]), "contract.end: is newly required"),
    (
        "a type narrowed",
        changed("$defs/Value/properties/amount", type="integer"),
        "value.amount: the type was narrowed from integer or number to integer",
    ),
    (
        "a type changed",
        changed("properties/title", type="object"),
        "title: the type was narrowed from string to object",
    ),
    (
        "null no longer allowed",
        changed("properties/value", anyOf=[{"$ref": "#/$defs/Value"}]),
        "value: the type was narrowed from null to object",
    ),
    (
        "a value of an enum removed",
        changed("properties/sharing", enum=["open", "private"]),
        "sharing: no longer allows 'match_only'",
    ),
    ("newly an enum", changed("properties/title", enum=["A"]), "title: is newly limited to ['A']"),
    ("newly constant", changed("properties/kind", const="new"), "kind: no longer allows 'renewal'"),
    (
        "an upper limit lowered",
        changed("properties/title", maxLength=100),
        "title: maxLength was tightened from 500 to 100",
    ),
    (
        "an upper limit added",
        changed("properties/plan_id", maxLength=300),
        "plan_id: maxLength was tightened from none to 300",
    ),
    ("a lower limit raised", changed("properties/title", minLength=5), "title: minLength was tightened from 1 to 5"),
    (
        "a lower limit behind a reference",
        changed("$defs/Value/properties/amount", minimum=1),
        "value.amount: minimum was tightened from 0 to 1",
    ),
    ("fewer items", changed("properties/cpv", maxItems=10), "cpv: maxItems was tightened from 50 to 10"),
    (
        "a pattern of items changed",
        changed("properties/cpv/items", pattern=r"^\d{8}$"),
        r"cpv[]: the pattern changed from ^\d{8}(-\d)?$ to ^\d{8}$",
    ),
    ("a pattern added", changed("properties/title", pattern="^A"), "title: the pattern changed from none to ^A"),
    (
        "a format changed",
        changed("$defs/Window/properties/earliest", format="date-time"),
        "tender_window.earliest: the format changed from date to date-time",
    ),
    (
        "unknown fields refused",
        changed("", additionalProperties=False),
        "payload: other properties are no longer allowed",
    ),
    ("items that must differ", changed("properties/regions", uniqueItems=True), "regions: items must newly differ"),
]

GROWING = [
    ("nothing", SCHEMA),
    ("a property added", changed("properties", wards={"type": "integer"})),
    ("no longer required", changed("", required=["plan_id"])),
    ("a type widened", changed("properties/revision", type="number")),
    ("null allowed", changed("properties/title", type=["string", "null"])),
    ("an alternative added", changed("properties/title", type=None, anyOf=[{"type": "string"}, {"type": "null"}])),
    ("a value added to an enum", changed("properties/kind", enum=[*SCHEMA["properties"]["kind"]["enum"], "lease"])),
    ("an enum dropped", changed("properties/kind", enum=None)),
    ("an upper limit raised", changed("properties/title", maxLength=1000)),
    ("a lower limit lowered", changed("properties/title", minLength=0)),
    ("a limit dropped", changed("properties/cpv", maxItems=None)),
    ("a pattern dropped", changed("properties/plan_id", pattern=None)),
    ("words changed", changed("properties/title", description="Other words", title="Name")),
    ("a reference written out", changed("properties/tender_window", **{"$ref": None, **SCHEMA["$defs"]["Window"]})),
]


@pytest.mark.parametrize(("new", "sentence"), [pytest.param(new, said, id=name) for name, new, said in BREAKING])
def test_what_breaks_is_said_with_its_field(new: dict[str, Any], sentence: str) -> None:
    assert any(found.startswith(sentence) for found in find_breaking_changes(SCHEMA, new))


@pytest.mark.parametrize("new", [pytest.param(new, id=name) for name, new in GROWING])
def test_growing_breaks_nothing(new: dict[str, Any]) -> None:
    assert find_breaking_changes(SCHEMA, new) == []


def test_every_break_is_told_at_once() -> None:
    new = changed("properties/title", maxLength=10, pattern="^A")
    new["required"] = [*new["required"], "cpv"]
    assert len(find_breaking_changes(SCHEMA, new)) == 3


def test_pairs_are_compared_item_by_item() -> None:
    old = schema_of(payload_types()["jointly.opportunity.updated.v1"])
    new = copy.deepcopy(old)
    new["properties"]["plans"]["prefixItems"][1] = {"type": "string"}
    assert find_breaking_changes(old, new) == ["plans[1]: the type was narrowed from object to string"]


def test_a_schema_that_refers_to_itself_is_compared_once_around() -> None:
    def tree(limit: int) -> dict[str, Any]:
        node = {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "maximum": limit},
                "inner": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            },
        }
        return {"$ref": "#/$defs/Node", "$defs": {"Node": node}}

    assert find_breaking_changes(tree(5), tree(9)) == []
    assert "size: maximum was tightened from 9 to 5" in find_breaking_changes(tree(9), tree(5))


@pytest.fixture
def folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(schemas, "FOLDER", tmp_path)
    return tmp_path


def test_the_command_writes_what_grew_and_refuses_what_broke(folder: Any) -> None:
    app, run = application("schemas"), CliRunner().invoke
    assert run(app, ["schemas", "--check"]).exit_code == 1
    assert not list(folder.iterdir())
    assert run(app, ["schemas"]).exit_code == 0
    assert len(list(folder.iterdir())) == len(payload_types())
    assert run(app, ["schemas", "--check"]).exit_code == 0

    smaller, larger = folder / "jointly.plan.updated.v1.json", folder / "jointly.plan.published.v1.json"
    promised = {**json.loads(smaller.read_text()), "required": ["plan_id"]}
    smaller.write_text(json.dumps(promised))
    more = json.loads(larger.read_text())
    more["properties"]["wards"] = {"type": "integer"}
    larger.write_text(json.dumps(more))
    refused = run(app, ["schemas"])
    assert refused.exit_code == 1
    assert "jointly.plan.updated.v1.json: title: is newly required." in refused.stderr
    assert "jointly.plan.published.v1.json: wards: the property was removed." in refused.stderr
    assert "bring it as a new type jointly.plan.published.v2 beside the old one" in refused.stderr
    assert json.loads(smaller.read_text()) == promised, "what was promised stays"


def test_the_document_is_printed_as_json() -> None:
    printed = CliRunner().invoke(application("asyncapi"), ["asyncapi"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout)["asyncapi"] == "3.0.0"
