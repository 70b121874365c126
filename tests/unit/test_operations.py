"""docs/operations.md lists every setting and every metric as the code has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

from prometheus_client import Counter, Gauge, Histogram
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from sqlmodel import SQLModel

from events.topics import TOPICS
from services.platform import metrics
from services.platform.settings import PREFIX, Settings
from services.store import tables as _tables  # noqa: F401 (declares them)

ROOT = Path(__file__).parents[2]


def _between(marker: str) -> str:
    """The table between `<!-- marker: ... -->` and `<!-- /marker -->`."""
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    found = re.search(rf"<!-- {marker}:.*?-->\n(.*?)<!-- /{marker} -->", text, re.DOTALL)
    assert found is not None, f"docs/operations.md has no place for the {marker}"
    return found[1].strip()


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return f"`{value}`" if value not in ("", None, ()) else "none"


def _choices(field: FieldInfo) -> str:
    choices = [choice for choice in get_args(field.annotation) if isinstance(choice, str)]
    return f" ({', '.join(choices)})" if choices else ""


def test_every_setting_is_listed_as_it_is() -> None:
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        meaning = f"{field.description}{_choices(field)}".replace("|", "\\|")
        rows.append(f"| `{PREFIX}{name.upper()}` | {_default(field)} | {meaning} |")
    assert _between("settings") == "\n".join(rows), "put this table there:\n\n" + "\n".join(rows)


def test_every_metric_is_listed_as_it_is() -> None:
    rows = ["| metric | kind | labels | exported by | meaning |", "|---|---|---|---|---|"]
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            (family,) = metric.describe()
            name = f"{family.name}_total" if isinstance(metric, Counter) else family.name
            labels = ", ".join(metric._labelnames)
            owners = ", ".join(process for process in metrics.Process if process in metrics.OWNERS[metric])
            rows.append(f"| `{name}` | {family.type} | {labels} | {owners} | {family.documentation} |")
    assert _between("metrics") == "\n".join(rows), "put this table there:\n\n" + "\n".join(rows)


def test_every_command_that_it_names_exists() -> None:
    from services.cli import COMMANDS

    text = (ROOT / "docs/operations.md").read_text("utf-8")
    named = set(re.findall(r"`jointly ([a-z-]+)", text))
    assert named
    assert named <= COMMANDS.keys()


def test_every_setting_that_it_names_exists() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    named = {name.lower() for name in re.findall(rf"{PREFIX}([A-Z_]+)", text)}
    assert named == Settings.model_fields.keys()


def test_the_table_of_what_is_kept_has_each_table_and_topic() -> None:
    listed = re.findall(r"^\| `([\w.<>-]+)`", _between("retention"), re.MULTILINE)
    tables = {table.name for table in SQLModel.metadata.tables.values() if table.schema is None}
    assert set(listed) == tables | {topic.name for topic in TOPICS}
    assert len(listed) == len(set(listed))
