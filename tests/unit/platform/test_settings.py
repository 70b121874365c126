"""A wrong setting stops the start, with a sentence that says what to do."""

from urllib.parse import parse_qsl

import pytest

from services.platform.settings import Settings, SettingsError, settings


@pytest.fixture(autouse=True)
def _afresh() -> None:
    settings.cache_clear()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("JOINTLY_KAFKA_BOOTSTRAP_SERVERS", "broker", "'broker' is not host:port"),
        ("JOINTLY_KAFKA_BOOTSTRAP_SERVERS", "broker:99999", "'broker:99999' is not host:port"),
        ("JOINTLY_DATABASE_URL", "postgresql://host:99999/name", "a port that is not from 1 to 65535"),
        ("JOINTLY_DATABASE_URL", "postgresql://host:abc/name", "a port that is not from 1 to 65535"),
        ("JOINTLY_SMTP_URL", "smtp://host:abc", "a port that is not from 1 to 65535"),
        ("JOINTLY_SMTP_URL", "smtp://[host:25", "has no valid host"),
        ("JOINTLY_DATABASE_URL", "postgresql://u:secret@h℀/name", "has no valid host"),
        ("JOINTLY_DATABASE_URL", "mysql://host/name", "must start with postgresql://"),
        ("JOINTLY_SMTP_URL", "http://host", "must be smtp://host:port"),
        ("JOINTLY_SMTP_URL", "smtp://host?tls=yes", "does not know the option tls"),
        ("JOINTLY_POLICY_FILE", "/nowhere/policy.toml", "no file at /nowhere/policy.toml"),
        ("JOINTLY_AS_OF", "soon", "must be a day, as 2027-09-30"),
        ("JOINTLY_HTTP_PORT", "99999", "must be at most 65535"),
        ("JOINTLY_KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "JOINTLY_KAFKA_USERNAME and JOINTLY_KAFKA_PASSWORD are needed"),
    ],
)
def test_says_which_setting_is_wrong(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"^JOINTLY_[A-Z_]+") as raised:
        settings()
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "Value error" not in str(raised.value)


@pytest.mark.parametrize("name", ["AS_OF", "COLLECT_FROM", "POLICY_FILE", "SIGNING_KEY_FILE", "KAFKA_CA_FILE"])
def test_an_empty_file_or_day_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"JOINTLY_{name}", "")
    assert getattr(Settings(), name.lower()) is None


def test_an_old_name_is_refused_with_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTLY_PLAN_REACH", "30")
    with pytest.raises(SettingsError, match="JOINTLY_PLAN_REACH is called JOINTLY_MAX_AUTHORITIES_PER_PLAN now"):
        settings()


def test_never_repeats_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTLY_DATABASE_URL", "mysql://jointly:hunter2@host/name")
    with pytest.raises(SettingsError) as raised:
        settings()
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in repr(Settings(database_url="postgresql://jointly:hunter2@host/name"))


def test_says_what_is_missing() -> None:
    empty = Settings()
    for need, name in (
        (empty.need_kafka, "JOINTLY_KAFKA_BOOTSTRAP_SERVERS"),
        (empty.need_database, "JOINTLY_DATABASE_URL"),
        (empty.need_smtp, "JOINTLY_SMTP_URL"),
    ):
        with pytest.raises(SettingsError, match=f"{name} is not set.*jointly up"):
            need()


def test_postgresql_urls_of_any_spelling_reach_our_driver() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        address, _, limits = Settings(database_url=f"{scheme}://u:p@h/n").need_database().partition("?")
        assert address == "postgresql+psycopg://u:p@h/n"
        assert dict(parse_qsl(limits)) == {
            "tcp_user_timeout": "60000",
            "keepalives_idle": "15",
            "keepalives_interval": "15",
            "options": "-c statement_timeout=120000",
        }
