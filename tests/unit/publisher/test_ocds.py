"""OCDS notices as plans: stages, ends, windows, buyers, places, money, records; and whatever else a file may hold."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.plans import PlanAwarded, PlanPublished, PlanUpdated, PlanWithdrawn
from services.publisher.ocds import read_ocds
from services.publisher.reading import Accepted, Options, Read
from tests.unit.publisher import accepted, rejected

NOTICE: dict[str, Any] = {
    "ocid": "ocds-x-1",
    "id": "1",
    "date": "2027-03-02T09:15:00+00:00",
    "tag": ["planning"],
    "buyer": {"id": "GB-PPON-1", "name": "Derby City Council"},
    "tender": {
        "title": "Case management",
        "status": "planned",
        "communication": {"futureNoticeDate": "2028-01-17T23:59:59Z"},
    },
}


def _notice(tender: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return NOTICE | changes | {"tender": NOTICE["tender"] | (tender or {})}


def _planned(**tender: Any) -> dict[str, Any]:
    return NOTICE | {"tender": {"title": "Case management", "status": "planned"} | tender}


def _reads(tmp_path: Path, document: object, options: Options | None = None) -> list[Read]:
    file = tmp_path / "notices.json"
    file.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return list(read_ocds(file, options or Options()))


def _plan(tmp_path: Path, document: object, options: Options | None = None) -> Any:
    reads = _reads(tmp_path, document, options)
    assert not rejected(reads), rejected(reads)
    (plan,) = accepted(reads)
    return plan


def test_a_pipeline_notice_becomes_a_plan(tmp_path: Path) -> None:
    plan = _plan(tmp_path, {"releases": [NOTICE]})
    assert isinstance(plan, PlanPublished)
    assert plan.plan_id == "E06000015:ocds-x-1"
    assert plan.revision == 1803978900000
    assert (plan.kind, plan.stage) == ("new", "planned")
    assert (plan.tender_window.earliest, plan.tender_window.latest) == (date(2027, 12, 17), date(2028, 4, 17))


@pytest.mark.parametrize(
    ("notice", "stage"),
    [
        ({"planning": {"documents": [{"noticeType": "UK1"}]}}, "planned"),
        ({"planning": {"documents": [{"noticeType": "UK2"}]}}, "engagement"),
        ({"planning": {"documents": [{"noticeType": "UK3"}]}}, "planned"),
        ({"planning": {"documents": [{"documentType": "marketEngagementNotice"}]}}, "engagement"),
        ({"tag": ["tender"], "tender": {"documents": [{"noticeType": "UK4"}]}}, "tendering"),
        ({"tag": ["tender"], "tender": {"status": "active"}}, "tendering"),
        ({"tag": ["compiled"], "tender": {"status": "active"}}, "tendering"),
        ({"tag": ["compiled"], "tender": {"status": "planned"}}, "planned"),
        ({"tag": ["planning"], "tender": {"status": "planning"}}, "planned"),
    ],
)
def test_the_notice_says_how_far_it_is(tmp_path: Path, notice: dict[str, Any], stage: str) -> None:
    assert _plan(tmp_path, _notice(**notice)).stage == stage


@pytest.mark.parametrize(
    ("notice", "model"),
    [
        ({"tag": ["planningUpdate"]}, PlanUpdated),
        ({"tag": ["tenderUpdate"]}, PlanUpdated),
        ({"tender": {"status": "cancelled"}}, PlanWithdrawn),
        ({"tender": {"status": "withdrawn"}}, PlanWithdrawn),
        ({"tender": {"status": "unsuccessful"}}, PlanWithdrawn),
        ({"tag": ["tenderCancellation"]}, PlanWithdrawn),
        ({"tender": {"documents": [{"noticeType": "UK12"}]}}, PlanWithdrawn),
        ({"tag": ["award"], "awards": [{"status": "cancelled"}]}, PlanWithdrawn),
        ({"tag": ["award"], "awards": [{"status": "active", "date": "2027-02-28T00:00:00Z"}]}, PlanAwarded),
        ({"tag": ["contract"]}, PlanAwarded),
        ({"tag": ["compiled"], "awards": [{"status": "active"}]}, PlanAwarded),
        ({"awards": [{"documents": [{"noticeType": "UK6"}]}]}, PlanAwarded),
    ],
)
def test_the_notice_says_what_happened(tmp_path: Path, notice: dict[str, Any], model: type) -> None:
    assert type(_plan(tmp_path, _notice(**notice))) is model


def test_the_day_of_the_award_is_kept(tmp_path: Path) -> None:
    notice = _notice(tag=["award"], awards=[{"date": "2027-02-28T00:00:00Z"}], contracts=[{"dateSigned": "2027-02-20"}])
    assert _plan(tmp_path, notice).awarded_on == date(2027, 2, 20)


@pytest.mark.parametrize(
    ("notice", "window", "rule"),
    [
        (_planned(tenderPeriod={"startDate": "2028-01-10", "endDate": "2028-02-10"}), ("2028-01-10", "2028-02-10"), ""),
        (_planned(contractPeriod={"startDate": "2028-10-01"}), ("2028-01-01", "2028-07-01"), "contract start"),
        (
            _planned(
                lots=[{"contractPeriod": {"startDate": "2028-11-01"}}, {"contractPeriod": {"startDate": "2028-10-01"}}]
            ),
            ("2028-01-01", "2028-07-01"),
            "contract start",
        ),
        (
            _planned(milestones=[{"type": "futureSignatureDate", "dueDate": "2028-10-01"}]),
            ("2028-01-01", "2028-07-01"),
            "signature",
        ),
        (
            _planned() | {"planning": {"milestones": [{"type": "engagement", "dueDate": "2027-08-31"}]}},
            ("2027-08-31", "2028-02-29"),
            "engagement",
        ),
        (_notice({"communication": {"futureNoticeDate": "2027-03-10"}}), ("2027-03-02", "2027-06-10"), "announced"),
        (_notice({"communication": {"futureNoticeDate": "2027-01-31"}}), ("2027-01-31", "2027-04-30"), "announced"),
        (
            _notice({"status": "active", "tenderPeriod": {"endDate": "2027-04-02T12:00:00+01:00"}}, tag=["tender"]),
            ("2027-03-02", "2027-04-02"),
            "",
        ),
        (_notice({"status": "active"}, tag=["tender"]), ("2027-03-02", "2027-03-02"), "no end"),
    ],
)
def test_windows_and_the_rules_they_come_from(
    tmp_path: Path, notice: dict[str, Any], window: tuple[str, str], rule: str
) -> None:
    (read,) = _reads(tmp_path, notice)
    assert isinstance(read, Accepted), read
    found = accepted([read])[0].tender_window
    assert (str(found.earliest), str(found.latest)) == window
    assert rule in " ".join(read.notes)
    assert bool(read.notes) == bool(rule)


@pytest.mark.parametrize(
    ("notice", "field", "words"),
    [
        (_notice(ocid=None), "ocid", "missing"),
        (_notice(date="yesterday"), "date", "revision"),
        (_notice(date="1960-01-01T00:00:00Z"), "date", "revision"),
        (_notice(buyer=None), "buyer", "who buys"),
        (_notice(buyer={"name": "Ministry of Silly Walks", "id": "GB-PPON-9"}), "buyer", "--unknown-buyers org-id"),
        (_notice({"title": ""}), "tender.title", "what is to be bought"),
        (_planned(), "tender.communication.futureNoticeDate", "nothing else says"),
        (_notice({"contractPeriod": {"startDate": "2027-12-01"}}), "tender.communication.futureNoticeDate", "after"),
        (
            _notice({"communication": {"futureNoticeDate": "2026-01-01"}}),
            "tender.communication.futureNoticeDate",
            "long before",
        ),
        (
            _planned(tenderPeriod={"startDate": "2028-02-10", "endDate": "2028-01-10"}),
            "tender.tenderPeriod",
            "before it starts",
        ),
        (_notice({"contractPeriod": {"startDate": "2029-02-01", "endDate": "2028-02-01"}}), "contract", "is after end"),
    ],
)
def test_refusals_say_what_is_missing(tmp_path: Path, notice: dict[str, Any], field: str, words: str) -> None:
    (refusal,) = rejected(_reads(tmp_path, {"releases": [notice]}))
    assert refusal.where.startswith("releases[0]")
    assert refusal.field == field
    assert words in refusal.reason


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("City of Derby", "E06000015"),
        ("Derby City Council - Procurement", "E06000015"),
        ("Kingston Upon Hull City Council", "E06000010"),
        ("Mendip District Council", "E06000066"),
    ],
)
def test_buyers_are_found_by_name_and_former_ones_by_their_successor(tmp_path: Path, name: str, code: str) -> None:
    assert _plan(tmp_path, _notice(buyer={"name": name})).authority == code


@pytest.mark.parametrize(
    "name", ["Kent (Mental Health) Trust", "Derby - University Hospitals", "Harrogate Town Council"]
)
def test_a_name_that_only_begins_like_a_council_is_not_one(tmp_path: Path, name: str) -> None:
    assert rejected(_reads(tmp_path, _notice(buyer={"name": name})))


def test_a_buyer_nobody_knows_can_be_published_by_identifier_or_by_hand(tmp_path: Path) -> None:
    notice = _notice(buyer={"name": "Anytown Trust", "id": "GB-COH-01234567"})
    assert _plan(tmp_path, notice, Options(unknown_buyers="org-id")).plan_id == "GB-COH-01234567:ocds-x-1"
    assert _plan(tmp_path, notice, Options(authority="E09000015")).authority == "E09000015"


def test_an_identifier_of_the_file_alone_is_never_an_authority(tmp_path: Path) -> None:
    notice = _notice(buyer={"name": "Anytown Trust", "id": "org-7"})
    (refusal,) = rejected(_reads(tmp_path, notice, Options(unknown_buyers="org-id")))
    assert "nothing outside this file" in refusal.reason


def test_one_authority_can_not_stand_for_several_strangers_nor_for_one_that_is_known(tmp_path: Path) -> None:
    notices = [_notice(buyer={"name": "Anytown Trust"}), _notice(buyer={"name": "Other Trust"}), NOTICE]
    reads = _reads(tmp_path, {"releases": notices}, Options(authority="E09000015"))
    assert len(rejected(reads)) == 3


def test_codes_places_money_and_dates_come_from_wherever_they_stand(tmp_path: Path) -> None:
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
    plan = _plan(tmp_path, _notice(tender))
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
        ({"value": {"amountGross": 5000}}, None),
        ({"lots": [{"value": {"amount": 100}}, {}]}, None),
        ({"lots": [{"value": {"amount": 100}}, {"value": {"amount": 9, "currency": "EUR"}}]}, None),
        ({"value": {"amount": 5000, "amountGross": 6000}}, 5000),
    ],
)
def test_a_value_that_says_nothing_is_left_out(tmp_path: Path, tender: dict[str, Any], value: float | None) -> None:
    plan = _plan(tmp_path, _notice(tender))
    assert (plan.value.amount if plan.value else None) == value


@pytest.mark.parametrize(
    ("notice", "kind"),
    [
        (_notice({"mainProcurementCategory": "works"}), "project"),
        (_notice({"description": "To replace the current system"}), "renewal"),
        (_notice({"description": "Our existing contract will expire in June"}), "renewal"),
        (_notice(relatedProcesses=[{"relationship": ["renewalProcess"]}]), "renewal"),
        (_notice(), "new"),
    ],
)
def test_the_kind_of_purchase(tmp_path: Path, notice: dict[str, Any], kind: str) -> None:
    assert _plan(tmp_path, notice).kind == kind


def test_contact_points_never_come_along(tmp_path: Path) -> None:
    party = {
        "id": "GB-PPON-1",
        "name": "Derby City Council",
        "roles": ["buyer"],
        "contactPoint": {"name": "Jane Doe", "email": "jane.doe@derby.example", "telephone": "+44 1632 960001"},
    }
    text = "Write to jane.doe@derby.example or ring +44 (0)1632 960 001."
    plan = _plan(tmp_path, _notice({"description": text}, parties=[party]))
    assert not {"Jane", "jane", "960"} & set(plan.model_dump_json().replace(".", " ").split())
    assert "jane" not in plan.model_dump_json().lower()
    assert "960" not in plan.description


def test_a_record_gives_its_compiled_release(tmp_path: Path) -> None:
    compiled = {key: value for key, value in NOTICE.items() if key != "ocid"} | {"tag": ["compiled"]}
    record = {"ocid": "ocds-x-9", "compiledRelease": compiled, "releases": [{"url": "https://notices.example/1"}]}
    assert _plan(tmp_path, {"records": [record]}).plan_id == "E06000015:ocds-x-9"


def test_a_record_without_one_is_merged_from_its_releases_in_the_order_of_their_dates(tmp_path: Path) -> None:
    first = _notice(
        {"value": {"amount": 7000}, "items": [{"id": "1", "classification": {"scheme": "CPV", "id": "48000000"}}]}
    )
    later = NOTICE | {
        "id": "2",
        "date": "2027-03-02T09:00:00-05:00",  # later, though its digits are lower
        "tag": ["tender"],
        "tender": {"title": "Case management system", "status": "active", "tenderPeriod": {"endDate": "2028-03-01"}},
    }
    plan = _plan(tmp_path, {"records": [{"ocid": "ocds-x-1", "releases": [later, first]}]})
    assert (plan.title, plan.stage, plan.value.amount) == ("Case management system", "tendering", 7000)
    assert plan.cpv == ("48000000",)
    assert plan.revision == 1803996000000


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"ocid": "o", "releases": [{"url": "https://notices.example/1", "date": None}]}, "one of them has no date"),
        ({"ocid": "o", "releases": [{"url": "https://notices.example/1"}]}, "only links"),
        ({"ocid": "o", "releases": []}, "nothing to publish"),
        ({"ocid": "o"}, "nothing to publish"),
        ({"ocid": "o", "releases": [NOTICE | {"tender": [{"id": 1}]}, NOTICE | {"date": "2027-04-01"}]}, "contradict"),
    ],
)
def test_records_that_hold_nothing_are_refused(tmp_path: Path, record: dict[str, Any], words: str) -> None:
    (refusal,) = rejected(_reads(tmp_path, {"records": [record]}))
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
    (refusal,) = rejected(_reads(tmp_path, document))
    assert words in refusal.reason


def test_infinity_where_nobody_looks_does_no_harm(tmp_path: Path) -> None:
    text = json.dumps(
        _notice({"lotDetails": {"maximumLotsBidPerSupplier": float("inf")}, "value": {"amount": float("nan")}})
    )
    assert "Infinity" in text
    assert _plan(tmp_path, text.encode()).value is None


def test_long_texts_are_cut_and_control_characters_and_surrogates_replaced(tmp_path: Path) -> None:
    plan = _plan(tmp_path, _notice({"title": "a" * 10_000_000, "description": "b\x00\ud800 " * 100_000}))
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
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_no_content_makes_the_reader_raise(
    tmp_path: Path, changes: dict[str, Any], tender: dict[str, Any], as_record: bool
) -> None:
    notice = _notice(tender) | changes
    document = {"records": [{"ocid": "o", "releases": [NOTICE, notice]}]} if as_record else notice
    assert len(_reads(tmp_path, json.dumps(document).encode())) == 1
