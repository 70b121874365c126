"""The policy file is read strictly, and its errors say where and what."""

from pathlib import Path

import pytest

from matching.assessment import Band
from matching.policy import Policy, PolicyError

SHIPPED = Path(__file__).parents[3] / "matching" / "policy.toml"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The shipped policy with one passage replaced."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "policy.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_shipped_policy_loads_and_names_its_version() -> None:
    policy = Policy.load()
    assert policy.version.startswith("2026-11.")
    assert policy.version == Policy.load(SHIPPED).version
    assert policy.category_of(("48450000",)).locality < policy.category_of(("90910000",)).locality
    assert policy.category_of(()) is policy.default_category
    assert policy.category_of(("79710000",)).name == "security and facility services"


def test_any_change_is_another_version(tmp_path: Path) -> None:
    assert Policy.load(changed(tmp_path, "notify = 75.0", "notify = 76.0")).version != Policy.load().version


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("notify = 75.0", "notify = 170.0", "bands.notify must lie between 0 and 100, not 170.0"),
        ("notify = 75.0", 'notify = "high"', "bands.notify must be a number, not 'high'"),
        ("notify = 75.0", "notify = 20.0", "bands must fall"),
        ("notify = 75.0", "nottify = 70.0", "bands.nottify is not known; allowed are digest, feed, notify"),
        ("notify = 75.0\n", "", "bands.notify is missing"),
        ("[bands]\n", "[bands\n", "is not TOML"),
        ("body_share = 0.7 ", "body_share = -1.0 ", "specification.body_share must lie between 0 and 10, not -1.0"),
        ("lead_steps = [0.70, 0.80", "lead_steps = [0.90, 0.80", "timing.lead_steps must rise"),
        ("itl2 = 0.9", "itl2 = 0.1", "region must fall"),
        ('cpv = ["48", "72"]', 'cpv = ["4", "72"]', "category[1].cpv must list CPV prefixes"),
        ('  "home care", "extra care",', '  "home carer",', "lists 'home carer', which is no need of [concepts]"),
        ('  "home care", "extra care",', '  "home care", "insurance",', "'insurance' tells two categories"),
        ("works = false", "works = 0", "default_category.works must be a true or false, not 0"),
        ('version = "2026-11.6"', "version = 3", "version must be a word"),
        ('wan = "wide', 'wan = 3\nxwan = "wide', "synonyms must map words to words"),
    ],
)
def test_errors_say_file_key_and_what_is_allowed(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(PolicyError) as raised:
        Policy.load(path)
    assert says in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_missing_file_is_a_policy_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot read the policy file"):
        Policy.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("score", "band"), [(100, Band.NOTIFY), (75, Band.NOTIFY), (74.99, Band.DIGEST), (35, Band.DIGEST), (0, Band.NONE)]
)
def test_bands_begin_at_their_threshold(score: float, band: Band) -> None:
    assert Policy.load().bands.of(score) is band
