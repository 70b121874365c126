"""The kept OpenAPI document is what the routes say, and every list is behind a token."""

import json

from typer.testing import CliRunner

from services.cli import application
from services.web.api.openapi import KEPT, document, render_openapi


def test_the_kept_document_is_what_the_routes_say() -> None:
    assert KEPT.read_text("utf-8") == render_openapi(), "run `jointly openapi --write`"
    printed = CliRunner().invoke(application("openapi"), ["openapi"])
    assert json.loads(printed.stdout) == document()


def test_everything_only_reads_and_needs_a_token() -> None:
    paths = document()["paths"]
    assert len(paths) == 14
    for path, methods in paths.items():
        assert set(methods) == {"get"}, path
        secured = bool(methods["get"].get("security"))
        assert secured is not path.startswith("/calendar/"), path
        assert {"200", "401", "404", "429"} <= set(methods["get"]["responses"])
        assert methods["get"]["description"]


def test_every_field_that_may_be_withheld_may_be_null() -> None:
    partner = document()["components"]["schemas"]["PartnerPlan"]["properties"]
    for name in ("plan_id", "title"):
        assert {"type": "null"} in partner[name]["anyOf"]
