"""What an OCDS notice says: codes, places, money, texts; records; and whatever else a file may hold."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.ingest import rejected
from tests.unit.ingest.notices import NOTICE, notice, plan_of, reads_of


def test_facts_come_from_wherever_they_stand(tmp_path: Path) -> None:
    tender = {
        "classification": {"scheme": "CPV", "id": "48000000-8"},
        "items": [
            {
                "additionalClassifications": [
                    {"scheme": "CPV", "id": "48814000"},
                    {"scheme": "OTHER", "id": "12345678"},
                ],
                "deliveryAddresses": [{"region": "UKC11"}, {"region": "East Midlands"}, {"region": "England"}],
            },
            {
                "classification": {"scheme": "CPV", "id": "48814000"},
                "deliveryAddresses": [{"region": "TLI3"}, {"region": "??"}],
            },
        ],
        "lots": [
            {
                "value": {"amount": 100, "currency": "GBP"},
                "contractPeriod": {"startDate": "2029-01-01", "endDate": "2031-12-31"},
            },
            {
                "value": {"amount": 50, "currency": "GBP"},
                "contractPeriod": {"startDate": "2028-06-01", "endDate": "2030-05-31"},
            },
        ],
    }
    plan = plan_of(tmp_path, notice(tender))
    assert plan.cpv == ("48000000", "48814000")
    assert plan.regions == ("TLC31", "TLF", "TLI3")
    assert (plan.value.amount, plan.value.currency) == (150, "GBP")
    assert (plan.contract.start, plan.contract.end) == (date(2028, 6, 1), date(2031, 12, 31))


@pytest.mark.parametrize(
    ("tender", "value"),
    [
        ({"value": {"amount": 0.01}}, None),
        ({"value": {"amount": 1}}, None),
        ({"value": {"amount": -7}}, None),
        ({"value": {"amount": True}}, None),
        ({"value": {"amount": "5000"}}, None),
        ({"value": {"amountGross": 5000}}, 5000),
        ({"lots": [{"value": {"amount": 100}}, {}]}, None),
        ({"lots": [{"value": {"amount": 100}}, {"value": {"amount": 9, "currency": "EUR"}}]}, None),
        ({"value": {"amount": 5000, "amountGross": 6000}}, 5000),
    ],
)
def test_a_value_that_says_nothing_is_left_out(tmp_path: Path, tender: dict[str, Any], value: float | None) -> None:
    plan = plan_of(tmp_path, notice(tender))
    assert (plan.value.amount if plan.value else None) == value


@pytest.mark.parametrize(
    ("release", "kind"),
    [
        (notice({"mainProcurementCategory": "works"}), "project"),
        (notice({"description": "To replace the current system"}), "renewal"),
        (notice({"description": "Our existing contract will expire in June"}), "renewal"),
        (notice(relatedProcesses=[{"relationship": ["renewalProcess"]}]), "renewal"),
        (notice(), "new"),
    ],
)
def test_the_kind_of_purchase(tmp_path: Path, release: dict[str, Any], kind: str) -> None:
    assert plan_of(tmp_path, release).kind == kind


def test_contact_points_never_come_along(tmp_path: Path) -> None:
    party = {
        "id": "GB-PPON-1",
        "name": "Derby City Council",
        "roles": ["buyer"],
        "contactPoint": {"name": "Jane Doe", "email": "jane.doe@derby.example", "telephone": "+44 1632 960001"},
    }
    text = "Write to jane.doe@derby.example or ring +44 (0)1632 960 001."
    plan = plan_of(tmp_path, notice({"description": text}, parties=[party]))
    assert not {"Jane", "jane", "960"} & set(plan.model_dump_json().replace(".", " ").split())
    assert "jane" not in plan.model_dump_json().lower()
    assert "960" not in plan.description


def test_a_record_gives_its_compiled_release(tmp_path: Path) -> None:
    compiled = {key: value for key, value in NOTICE.items() if key != "ocid"} | {"tag": ["compiled"]}
    record = {"ocid": "ocds-x-9", "compiledRelease": compiled, "releases": [{"url": "https://notices.example/1"}]}
    assert plan_of(tmp_path, {"records": [record]}).plan_id == "E06000015:ocds-x-9"


def test_a_record_is_merged_from_its_releases_by_date(tmp_path: Path) -> None:
    first = notice(
        {"value": {"amount": 7000}, "items": [{"id": "1", "classification": {"scheme": "CPV", "id": "48000000"}}]}
    )
    later = NOTICE | {
        "id": "2",
        "date": "2027-03-02T09:00:00-05:00",  # later, though its digits are lower
        "tag": ["tender"],
        "tender": {"title": "Case management system", "status": "active", "tenderPeriod": {"endDate": "2028-03-01"}},
    }
    plan = plan_of(tmp_path, {"records": [{"ocid": "ocds-x-1", "releases": [later, first]}]})
    assert (plan.title, plan.stage, plan.value.amount) == ("Case management system", "tendering", 7000)
    assert plan.cpv == ("48000000",)
    assert plan.revision == 1803996000002


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"ocid": "o", "releases": [{"tender": {"title": "Paper"}, "date": None}]}, "one of them has no date"),
        ({"ocid": "o", "releases": [{"url": "https://notices.example/1"}]}, "only links"),
        ({"ocid": "o", "releases": []}, "nothing to publish"),
        ({"ocid": "o"}, "nothing to publish"),
        ({"ocid": "o", "releases": [NOTICE | {"tender": [{"id": 1}]}, NOTICE | {"date": "2027-04-01"}]}, "contradict"),
    ],
)
def test_records_that_hold_nothing_are_refused(tmp_path: Path, record: dict[str, Any], words: str) -> None:
    (refusal,) = rejected(reads_of(tmp_path, {"records": [record]}))
    assert words in f"{refusal.field} {refusal.reason}"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 50_000, "nested too deeply"),
        ({"hello": 1}, "no ocid, releases or records"),
        (3, "no ocid, releases or records"),
        ({"releases": [7]}, "not an object"),
        ([[NOTICE]], "no ocid, releases or records"),
    ],
)
def test_what_is_no_ocds_is_refused_in_a_sentence(tmp_path: Path, document: object, words: str) -> None:
    (refusal,) = rejected(reads_of(tmp_path, document))
    assert words in refusal.reason


def test_infinity_where_nobody_looks_does_no_harm(tmp_path: Path) -> None:
    text = json.dumps(
        notice({"lotDetails": {"maximumLotsBidPerSupplier": float("inf")}, "value": {"amount": float("nan")}})
    )
    assert "Infinity" in text
    assert plan_of(tmp_path, text.encode()).value is None


def test_texts_are_cut_and_cleaned(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, notice({"title": "a" * 10_000_000, "description": "b\x00\ud800 " * 100_000}))
    assert len(plan.title) == 500
    assert len(plan.description) <= 20_000
    assert plan.description.startswith("b ? b")


NAMES = [
    *("id", "title", "status", "value", "amount", "startDate", "endDate", "dueDate", "type", "region", "name", "items"),
    *("contractPeriod", "lots", "documents", "noticeType", "milestones", "deliveryAddresses", "identifier"),
    *("tenderPeriod", "communication", "classification", "description"),
]
PARTS = ["tender", "tag", "parties", "planning", "awards", "contracts", "relatedProcesses", "date"]
WORDS = ["active", "planned", "2027-01-01", "0001-01-01", "9999-12-31T23:59:59Z", "UK4", "GBP"]
PLAIN = st.none() | st.booleans() | st.integers(-(10**12), 10**20) | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    PLAIN | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(PARTS), JSON), st.dictionaries(st.sampled_from(NAMES), JSON), st.booleans())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_content_makes_the_reader_raise(
    tmp_path: Path, changes: dict[str, Any], tender: dict[str, Any], as_record: bool
) -> None:
    release = notice(tender) | changes
    document = {"records": [{"ocid": "o", "releases": [NOTICE, release]}]} if as_record else release
    assert len(reads_of(tmp_path, json.dumps(document).encode())) == 1
