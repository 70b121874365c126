"""All settings. Our own code reads JOINTLY_ variables only here.

Of the other modules, few touch the environment. The command line reads the line that a shell completes. Modules that
start other programs hand the environment on. The encoders read the variables of their libraries.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from events.validation_sentences import describe_problem

PREFIX = "JOINTLY_"
MAX_PORT: Final = 65_535
SignatureMode = Literal["off", "if-present", "required"]
_FILES: Final = (
    "policy_file",
    "statistics_file",
    "successions_file",
    "kafka_ca_file",
    "kafka_certificate_file",
    "kafka_key_file",
    "signing_key_file",
    "installation_key_file",
)


class SettingsError(Exception):
    """A setting is missing or invalid; the message names it, the reason and the remedy."""


def _split_url(url: str) -> SplitResult:
    """Split a URL. Raise ValueError if its host or port is invalid: urllib's own sentence could repeat a password."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.port != 0:
            return parts
    raise ValueError(f"has no valid host, or a port that is not from 1 to {MAX_PORT}; escape / ? # @ : in a password")


class Settings(BaseSettings):
    """The choices of an installation. Each field is the environment variable JOINTLY_<NAME>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    # --- Kafka
    kafka_bootstrap_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Bootstrap brokers as host:port, comma separated"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="Security protocol of the broker's listener"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="SASL mechanism, for a SASL security protocol"
    )
    kafka_username: str = Field(default="", description="SASL username")
    kafka_password: SecretStr = Field(default=SecretStr(""), description="SASL password")
    kafka_ca_file: Path | None = Field(
        default=None, description="PEM file of the certificate authority that signed the broker's certificate"
    )
    kafka_certificate_file: Path | None = Field(
        default=None, description="PEM file of this installation's client certificate"
    )
    kafka_key_file: Path | None = Field(default=None, description="PEM file of the client certificate's private key")
    kafka_replication_factor: int = Field(
        default=1,
        ge=1,
        le=9,
        description="Replication factor of topics that `jointly topics` creates (production: 3)",
    )
    kafka_max_poll_interval_seconds: int = Field(
        default=300,
        ge=30,
        le=3600,
        description="Longest time between two polls before the broker removes the consumer from its group",
    )
    kafka_session_timeout_seconds: float = Field(
        default=10.0,
        ge=1,
        le=300,
        description="Session timeout: how long a consumer may miss heartbeats before the broker reassigns its"
        " partitions",
    )

    # --- Signatures
    signatures: SignatureMode = Field(
        default="if-present",
        description="Signature checks of plan events: never, on every signed event, or also requiring "
        "signatures on the shared topic (production)",
    )
    signing_key_file: Path | None = Field(
        default=None, description="Private key with which `jointly publish` signs events; empty to publish unsigned"
    )

    # --- Audit log
    installation_key_file: Path | None = Field(
        default=None,
        description="Private key with which the relay signs the audit log (`jointly audit make-key`); empty "
        "to leave it unsigned",
    )
    installation_name: str = Field(
        default="jointly.example/audit",
        pattern=r"^[^\s+]{1,200}$",
        description="Signer name of this installation: a host and a path; choose it once and keep it",
    )

    # --- PostgreSQL
    database_url: SecretStr = Field(default=SecretStr(""), description="postgresql://user:password@host:port/name")
    database_statement_seconds: int = Field(
        default=120,
        ge=1,
        le=3600,
        description="Statement timeout, lock waits included; migrate, rebuild, reassess and statistics have none",
    )
    database_silence_seconds: int = Field(
        default=60,
        ge=1,
        le=3600,
        description="How long the database host may leave packets unacknowledged before a connection counts as broken",
    )

    # --- Matching
    embedding_model: str = Field(
        default="",
        description="sentence-transformers model by path or name; empty for the bundled all-MiniLM-L6-v2",
    )
    policy_file: Path | None = Field(default=None, description="TOML policy; empty for the bundled one")
    statistics_file: Path | None = Field(default=None, description="Corpus statistics; empty for the bundled ones")
    successions_file: Path | None = Field(
        default=None,
        description="CSV file of successions that take effect beside the bundled ones; the same for all processes",
    )
    as_of: date | None = Field(
        default=None,
        description="A fixed date for 'today' (YYYY-MM-DD), for tests and rehearsals; empty for the current date",
    )
    max_poll_records: int = Field(default=100, ge=1, le=1000, description="Largest number of records in one batch")
    feature_cache_plans: int = Field(
        default=10_000, ge=100, description="Number of plans whose features a matcher caches in memory"
    )
    sweep_interval_seconds: float = Field(
        default=15.0, ge=0.1, le=3600, description="Seconds between two runs of the sweeper"
    )

    # --- Public feeds
    find_a_tender_url: str = Field(
        default="https://www.find-tender.service.gov.uk",
        description="Base URL of Find a Tender; empty to skip this feed",
    )
    contracts_finder_url: str = Field(
        default="https://www.contractsfinder.service.gov.uk",
        description="Base URL of Contracts Finder; empty to skip this feed",
    )
    collect_seconds: float = Field(
        default=1800.0, ge=1, le=86_400, description="Seconds between two rounds of collecting a feed"
    )
    collect_pause_seconds: float = Field(
        default=10.0,
        ge=0,
        le=600,
        description="Seconds between two requests to a feed; Find a Tender allows 12 in 120 s",
    )
    collect_from: date | None = Field(
        default=None, description="First day to collect from a new feed; default: yesterday"
    )

    # --- Email
    smtp_url: SecretStr = Field(
        default=SecretStr(""),
        description="Mail server: smtp://user:password@host:port; smtps:// for implicit TLS, "
        "?starttls=require for STARTTLS",
    )
    mail_from: str = Field(
        default="Jointly <jointly@jointly.example>",
        description="Sender of every email; use a mailbox that somebody reads",
    )
    public_url: str = Field(
        default="",
        description="Base URL of an authority's opportunities and preferences; empty for emails without these links",
    )
    notify_batch_seconds: float = Field(
        default=60.0,
        ge=0,
        le=3600,
        description="Seconds to wait for further notifications to the same authority before an email is built",
    )
    max_matches_per_plan: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Largest number of matches in one email with the same plan of another authority",
    )
    max_matches_per_authority: int = Field(
        default=20,
        ge=1,
        le=100,
        description="Largest number of matches in one email with plans of the same other authority",
    )
    max_authorities_per_plan: int = Field(
        default=30,
        ge=1,
        le=1000,
        description="Largest number of authorities sent an immediate email about one plan within a day; "
        "others learn of it in their digest",
    )

    # --- Pages
    web_host: str = Field(default="127.0.0.1", description="Address that the web process listens on")
    web_port: int = Field(default=8000, ge=0, le=65535, description="Port that the web process listens on")
    web_proxies: str = Field(
        default="",
        description="Addresses of reverse proxies whose X-Forwarded headers are trusted, comma separated; "
        "empty for this machine",
    )
    link_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret of at least 32 characters that signs links in emails; to rotate it, list several,"
        " comma separated, newest first",
    )

    # --- Retention
    keep_plans_days: int = Field(
        default=730,
        ge=0,
        le=36_500,
        description="Days after which ended plans and superseded revisions are blanked; 0 for never",
    )
    keep_opportunities_days: int = Field(
        default=730,
        ge=0,
        le=36_500,
        description="Days after which ended opportunities become tombstones and their notifications are "
        "deleted; 0 for never",
    )
    keep_outbox_days: int = Field(
        default=7, ge=1, le=365, description="Days that published messages stay in the outbox"
    )
    keep_plan_topics_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Retention in days of plan and response topics that `jointly topics` creates",
    )
    keep_notifications_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        description="Retention in days of the notifications topic that `jointly topics` creates",
    )
    keep_dead_letters_days: int = Field(
        default=90, ge=1, le=3650, description="Retention in days of dead-letter topics that `jointly topics` creates"
    )

    # --- Operation
    http_host: str = Field(default="127.0.0.1", description="Address that /health and /metrics listen on")
    http_port: int = Field(default=8080, ge=0, le=65535, description="Port that /health and /metrics listen on")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Lowest level that is logged"
    )
    otel_endpoint: str = Field(default="", description="OTLP/HTTP endpoint for traces; empty for none")

    @field_validator(*_FILES, "as_of", "collect_from", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        # Compose files and shells pass an unset variable as an empty one.
        return value or None

    @field_validator("kafka_bootstrap_servers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _host_port(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            host, _, port = part.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) <= MAX_PORT:
                raise ValueError(f"'{part}' is not host:port, for example broker-1:9092")
        return value

    @field_validator(*_FILES)
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"no file at {value}")
        return value

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if url and _split_url(url).scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
            raise ValueError("must start with postgresql://; other databases are not supported")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr) -> SecretStr:
        parts = _split_url(value.get_secret_value())
        if value.get_secret_value() and (parts.scheme not in ("smtp", "smtps") or not parts.hostname):
            raise ValueError("must be smtp://host:port or smtps://host:port")
        unknown = {name for name, _ in parse_qsl(parts.query)} - {"starttls"}
        if unknown:
            raise ValueError(f"does not know the option {', '.join(sorted(unknown))}; only starttls=require")
        return value

    @field_validator("link_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if any(len(secret.strip()) < 32 for secret in value.get_secret_value().split(",")) and value.get_secret_value():
            raise ValueError("each secret needs at least 32 characters, for example from `openssl rand -hex 32`")
        return value

    @model_validator(mode="after")
    def _signed_in(self) -> "Settings":
        if self.kafka_security_protocol.startswith("SASL") and not (
            self.kafka_username and self.kafka_password.get_secret_value()
        ):
            raise ValueError(
                f"{PREFIX}KAFKA_USERNAME and {PREFIX}KAFKA_PASSWORD are needed with {self.kafka_security_protocol}"
            )
        return self

    def need_kafka(self) -> tuple[str, ...]:
        """Return the brokers. Raises SettingsError if none is set."""
        if not self.kafka_bootstrap_servers:
            raise _missing("KAFKA_BOOTSTRAP_SERVERS", "host:port of a broker")
        return self.kafka_bootstrap_servers

    def need_database(self, *, limited: bool = True) -> str:
        """Build the database's SQLAlchemy URL with the connection's time limits; unless `limited`, without a statement
        timeout.

        Options in the setting itself take precedence. Raises SettingsError if no URL is set.
        """
        url = self.database_url.get_secret_value()
        if not url:
            raise _missing("DATABASE_URL", "postgresql://user:password@host:port/name")
        address, _, given = url.split("://", 1)[1].partition("?")
        statement_ms = self.database_statement_seconds * 1000 if limited else 0
        silence = self.database_silence_seconds
        own = {
            "tcp_user_timeout": str(silence * 1000),
            # The last keepalive probe of an idle connection expires within the limit.
            "keepalives_idle": str(max(1, silence // 4)),
            "keepalives_interval": str(max(1, silence // 4)),
        }
        query = own | dict(parse_qsl(given))
        query["options"] = f"-c statement_timeout={statement_ms} {query.get('options', '')}".strip()
        return f"postgresql+psycopg://{address}?{urlencode(query, quote_via=quote)}"

    def need_smtp(self) -> str:
        """Return the mail server's URL. Raises SettingsError if none is set."""
        if not self.smtp_url.get_secret_value():
            raise _missing("SMTP_URL", "smtp://host:port")
        return self.smtp_url.get_secret_value()

    def need_link_secrets(self) -> list[str]:
        """Return the secrets that sign links, newest first. Raises SettingsError if none is set."""
        if not self.link_secret.get_secret_value():
            raise _missing("LINK_SECRET", "at least 32 characters, for example from `openssl rand -hex 32`")
        return [secret.strip() for secret in self.link_secret.get_secret_value().split(",")]


def _missing(name: str, example: str) -> SettingsError:
    return SettingsError(
        f"{PREFIX}{name} is not set. Set it to {example}, or run `jointly up` for a stack with everything."
    )


RENAMED: Final = {
    "KAFKA_BOOTSTRAP": "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_SECURITY": "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_REPLICATION": "KAFKA_REPLICATION_FACTOR",
    "KAFKA_POLL_INTERVAL_SECONDS": "KAFKA_MAX_POLL_INTERVAL_SECONDS",
    "KAFKA_SESSION_SECONDS": "KAFKA_SESSION_TIMEOUT_SECONDS",
    "BATCH_RECORDS": "MAX_POLL_RECORDS",
    "KEPT_PLANS": "FEATURE_CACHE_PLANS",
    "GATHER_SECONDS": "NOTIFY_BATCH_SECONDS",
    "MAIL_PER_PLAN": "MAX_MATCHES_PER_PLAN",
    "MAIL_PER_AUTHORITY": "MAX_MATCHES_PER_AUTHORITY",
    "PLAN_REACH": "MAX_AUTHORITIES_PER_PLAN",
    "SWEEP_SECONDS": "SWEEP_INTERVAL_SECONDS",
}
"""Settings of version 0.1 and their current names."""


def is_debugging() -> bool:
    """Return whether the log level is DEBUG. Unlike `settings()`, this works while another setting is invalid."""
    return os.environ.get(f"{PREFIX}LOG_LEVEL") == "DEBUG"


def limits_threads() -> bool:
    """Return whether the environment says how many threads numeric libraries may use."""
    return "OMP_NUM_THREADS" in os.environ


@lru_cache
def settings() -> Settings:
    """Return the process's settings. Raises SettingsError, with a readable message, if the environment holds an invalid
    one."""
    renamed = [
        f"{PREFIX}{old} is called {PREFIX}{new} now" for old, new in RENAMED.items() if PREFIX + old in os.environ
    ]
    if renamed:
        raise SettingsError("; ".join(renamed))
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(map(_sentence, error.errors(include_url=False, include_input=False)))) from None


def _sentence(problem: Mapping[str, Any]) -> str:
    """Describe the error in one setting, or in several together, which the message itself names."""
    said = describe_problem(problem)
    name = "_".join(str(part) for part in problem["loc"]).upper()
    return f"{PREFIX}{name}: {said}" if name else said
