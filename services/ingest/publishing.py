"""Publishes a file of plans: the function behind `jointly publish`, for a council's own script."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from events.fields import canonical_authority
from events.jwk import SigningKey
from events.plans import PlanPayload, PlanWithdrawn
from services.ingest import formats, publication_state
from services.ingest.entries import AcceptedEntry, Entry, Options, SkippedEntry, UnknownBuyers, check_limits
from services.ingest.event_publisher import own_topic, publish_events, shared_topic
from services.ingest.register.column_mapping import BUILT_IN, MappingError, RegisterMapping, load_mapping
from services.ingest.report import GONE, Report
from services.platform import clock
from services.platform.settings import Settings
from services.platform.settings import settings as load_settings

SAVE_EVERY: Final = 10_000
"""The state file is written after this many acknowledged events, so that an interrupted run can resume."""


class UsageError(Exception):
    """The call can't be carried out. The message gives the reason, whether anything was sent, and the remedy."""


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """Options for publishing a file. Each field is the option of `jointly publish` with its name.

    `state`: the state file; for a register, the default lies next to the register. `sure`: withdraw even more than half
    of the plans. `listed`: the report also lists each entry.
    """

    format: formats.Format | None = None
    authority: str | None = None
    unknown_buyers: UnknownBuyers = "refuse"
    mapping: Path | RegisterMapping | None = None
    state: Path | None = None
    complete: bool = False
    sure: bool = False
    own_topic: bool = False
    signing_key: SigningKey | None = None
    dry_run: bool = False
    listed: bool = False


def publish(
    file: Path | str,
    options: PublishOptions | None = None,
    *,
    settings: Settings | None = None,
    on_entry: Callable[[Entry], None] | None = None,
    on_published: Callable[[PlanPayload], None] | None = None,
) -> Report:
    """Publish the plans of a file to Kafka, and report the outcome of each entry.

    Without `settings`, those of the environment apply. `on_entry` is called with each entry as it is read,
    `on_published` with each event that Kafka has acknowledged; in a dry run, with each that would be sent. Publishing
    the same file again is safe.

    Raises UsageError if the file or an option is at fault, PublishingError if Kafka did not accept an event,
    SettingsError if settings are missing. In an event loop, call it through `asyncio.to_thread`.

    >>> from services.ingest import PublishOptions, publish
    >>> report = publish("register.csv", PublishOptions(authority="E06000038"))  # doctest: +SKIP
    >>> report.published, report.rejected_count  # doctest: +SKIP
    """
    chosen = settings or load_settings()
    run = _Run(Path(file), options or PublishOptions(), chosen, on_entry, on_published)
    return run.publish()


class _Run:
    """One run over one file."""

    def __init__(
        self,
        file: Path,
        options: PublishOptions,
        settings: Settings,
        on_entry: Callable[[Entry], None] | None,
        on_published: Callable[[PlanPayload], None] | None,
    ) -> None:
        self.options, self.settings = options, settings
        self._file, self._on_entry, self._on_published = file, on_entry, on_published
        self.report = Report(file.name, dry_run=options.dry_run, listed=options.listed)
        try:
            self._format = formats.detect_format(file, options.format)
            self._mapping = _mapping(options.mapping)
            remembers = options.complete or self._format == "csv"
            self._state_file = options.state or (publication_state.default_state_path(file) if remembers else None)
            self._state = publication_state.load(self._state_file) if self._state_file else publication_state.State()
        except (formats.FormatError, MappingError, publication_state.StateError) as error:
            raise UsageError(str(error)) from None

    def publish(self) -> Report:
        payloads = self._payloads(self._entries())
        if self.options.dry_run:
            for payload in payloads:
                self._count(payload)
            return self.report
        self.settings.need_kafka()
        topic = own_topic if self.options.own_topic else shared_topic
        try:
            key = self.options.signing_key
            asyncio.run(publish_events(self.settings, payloads, topic=topic, progress=self._acknowledged, key=key))
        finally:
            self._save()
        return self.report

    def _entries(self) -> Iterator[Entry]:
        """Compare the file's entries with the state before this run. Acknowledgements during the run must not change
        the result."""
        authority = canonical_authority(self.options.authority) if self.options.authority else None
        options = Options(authority, self.options.unknown_buyers, clock.today(self.settings.as_of))
        found = formats.deduplicate(formats.read(self._file, self._format, options, self._mapping))
        before, now = publication_state.State(plans=dict(self._state.plans)), now_ms(self.settings)
        entries = (
            (publication_state.assign_revision(read, before, now) for read in found) if self._state_file else found
        )
        if self.options.complete:
            entries = iter(with_withdrawals(list(entries), before, sure=self.options.sure))
        return (check_limits(entry, clock.now()) for entry in entries)

    def _payloads(self, entries: Iterable[Entry]) -> Iterator[PlanPayload]:
        """Yield the entries to publish, and report every entry as it is read."""
        for entry in entries:
            self.report.add(entry)
            if self._on_entry:
                self._on_entry(entry)
            if isinstance(entry, AcceptedEntry):
                yield entry.payload

    def _acknowledged(self, payload: PlanPayload) -> None:
        self._state.note(payload)
        self._count(payload)
        if self.report.published % SAVE_EVERY == 0:
            self._save()

    def _count(self, payload: PlanPayload) -> None:
        self.report.published += 1
        self.report.withdrawn += isinstance(payload, PlanWithdrawn)
        if self._on_published:
            self._on_published(payload)

    def _save(self) -> None:
        if self._state_file:
            try:
                publication_state.save(self._state, self._state_file)
            except publication_state.StateError as error:
                raise UsageError(str(error)) from None


def with_withdrawals(entries: list[Entry], known: publication_state.State, *, sure: bool) -> list[Entry]:
    """Yield the entries, then withdrawals of missing plans. Raises UsageError if the withdrawals look wrong."""
    present = {identity for entry in entries if (identity := _identity(entry))}
    gone = publication_state.missing_plans(known, present)
    lost = [entry for entry in entries if not _identity(entry) and not isinstance(entry, SkippedEntry)]
    if gone and lost:
        raise UsageError(
            f"--complete: {len(lost)} entries can't be told apart from vanished ones (first: {lost[0].file}, "
            f"{lost[0].where}). Correct them first; nothing was published"
        )
    count = publication_state.count_published(known)
    if len(gone) * 2 > count and not sure:
        raise UsageError(
            f"--complete would withdraw {len(gone)} of {count} plans. If the file is really complete, "
            "say --yes; nothing was published"
        )
    return [*entries, *(AcceptedEntry(entries[0].file if entries else "", GONE, plan) for plan in gone)]


def now_ms(settings: Settings) -> int:
    """Return the current time, or the fixed day, in milliseconds since 1970."""
    if settings.as_of:
        return int(datetime.combine(settings.as_of, datetime.min.time(), UTC).timestamp() * 1000)
    return int(clock.now().timestamp() * 1000)


def _identity(entry: Entry) -> str | None:
    return entry.payload.plan_id if isinstance(entry, AcceptedEntry) else entry.plan_id


def _mapping(named: Path | RegisterMapping | None) -> RegisterMapping:
    if isinstance(named, Path):
        return load_mapping(named)
    return named or BUILT_IN
