"""A seeded schedule of faults: what breaks, for how long, and how it is mended."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.cluster import CREW, Arena, wait
from tests.chaos.progress import canary_arrived
from tests.chaos.proxy import DIRECTIONS, TOXICS, Link, Toxic
from tests.chaos.stream import AUTHORITIES
from tests.chaos.workload import Feeder

Heal = Callable[[], None]
Log = Callable[[str], None]

KILLS: Final = ("kill matcher", "kill relay", "kill notifier")
PAUSES: Final = ("pause matcher", "pause relay", "pause notifier")
PARTS: Final = ("restart broker", "stop database")
SMTP: Final = ("smtp 4xx", "smtp 5xx", "smtp hang after DATA")
LINKS: Final = tuple(
    f"{toxic} {link} {direction}"
    for link in ("broker", "database", "smtp")
    for toxic in TOXICS
    for direction in DIRECTIONS
)
KINDS: Final = (*KILLS, *PAUSES, *PARTS, *SMTP, *LINKS)

PROFILES: Final[Mapping[str, Mapping[str, float]]] = {
    "mixed": {
        **dict.fromkeys(KILLS, 4.0),
        **dict.fromkeys(PAUSES, 0.7),
        **dict.fromkeys(PARTS, 1.0),
        **dict.fromkeys(SMTP, 0.7),
        **dict.fromkeys(LINKS, 0.3),
    },
    "kills": {"kill matcher": 4.0, "kill relay": 2.0, "kill notifier": 2.2, **dict.fromkeys(PAUSES, 0.15)},
    "parts": {**dict.fromkeys(PARTS, 3.0), **dict.fromkeys(KILLS, 1.0), **dict.fromkeys(SMTP, 0.3)},
    "links": {**dict.fromkeys(LINKS, 1.0), **dict.fromkeys(SMTP, 1.0), **dict.fromkeys(KILLS, 0.5)},
}
ANSWERS: Final[Mapping[str, float]] = {
    "kill coalitions": 5.0,
    "kill relay": 1.5,
    "kill notifier": 1.5,
    "pause coalitions": 0.4,
    **dict.fromkeys(PARTS, 0.7),
    **dict.fromkeys(LINKS, 0.05),
}
"""The faults while answers flow: no matcher runs."""
PACE: Final[Mapping[str, tuple[float, float]]] = {
    "mixed": (0.5, 3.0),
    "kills": (0.4, 1.8),
    "parts": (1.5, 5.0),
    "links": (0.5, 2.5),
    "answers": (0.8, 3.0),
}
MEASURED: Final = (*KILLS, *PARTS, *PAUSES, "stall broker up", "cut database down", "reset smtp up")
"""The faults whose recovery is timed, one at a time; in a storm nobody could say what recovered from what."""
RECOVERY_SECONDS: Final = 240.0


@dataclass
class Chaos:
    """Faults on an arena. `counts` by kind; `recovery`: seconds by kind, for those made one at a time."""

    arena: Arena
    feeder: Feeder
    chance: random.Random
    log: Log
    counts: Counter[str] = field(default_factory=Counter)
    recovery: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    stuck: list[str] = field(default_factory=list)
    _healing: dict[str, tuple[float, Heal]] = field(default_factory=dict)

    def storm(self, profile: str, seconds: float) -> None:
        """Faults of a profile, one after the other and over each other, for so long."""
        chosen = ANSWERS if profile == "answers" else PROFILES[profile]
        kinds, weights = list(chosen), list(chosen.values())
        end = time.monotonic() + seconds
        following = time.monotonic()
        while time.monotonic() < end:
            self._heal_due()
            if time.monotonic() >= following:
                following = time.monotonic() + self.chance.uniform(*PACE[profile])
                self.inject(self.chance.choices(kinds, weights)[0])
            time.sleep(0.05)
        self.heal_all()

    def measured(self, seconds: float) -> None:
        """Faults one at a time, each until a plan has gone the whole way again; the order is the seed's."""
        end = time.monotonic() + seconds
        kinds: list[str] = []
        while time.monotonic() < end:
            kinds = kinds or self.chance.sample(MEASURED, len(MEASURED))
            self.measure(kinds.pop())

    def measure(self, kind: str) -> None:
        """One fault, and how long until a plan goes the whole way: since a kill or pause, else since the mending."""
        if not self.inject(kind):
            return
        (due, _) = next(iter(self._healing.values()))
        at_once = kind in KILLS or kind in PAUSES
        began = time.monotonic()
        if not at_once:
            time.sleep(max(0.0, due - time.monotonic()))
            began = time.monotonic()
            self.heal_all()
        revision = self.feeder.canary()

        def arrived() -> bool:
            self._heal_due()
            return canary_arrived(self.arena, revision)

        if wait(arrived, RECOVERY_SECONDS) is None:
            self.stuck.append(f"{kind}: nothing had moved after {RECOVERY_SECONDS:.0f} s")
        else:
            self.recovery[kind].append(round(time.monotonic() - began, 1))
            self.log(f"recovered from {kind} in {self.recovery[kind][-1]} s")
        self.heal_all()

    def inject(self, kind: str) -> bool:
        """Breaks something, and notes when it is to be mended; False where just that is broken already."""
        verb, _, what = kind.partition(" ")
        if verb in ("kill", "pause"):
            name = f"{what}-{self.chance.choice((1, 2))}"
            made = self._strike(verb, name)
        elif kind in PARTS:
            name = what
            made = self._fell(what) if what not in self._healing else None
        elif kind in SMTP:
            name = "smtp server"
            made = self._misanswer(kind) if name not in self._healing else None
        else:
            link, _, direction = what.partition(" ")
            name = f"link {link}"
            made = self._poison(link, verb, direction) if name not in self._healing else None  # type: ignore[arg-type]
        if made is None:
            return False
        seconds, heal = made
        self._healing[name] = (time.monotonic() + seconds, heal)
        self.counts[kind] += 1
        self.log(f"{kind} ({name}, {seconds:.1f} s)")
        return True

    def heal_all(self) -> None:
        """Mends everything now."""
        for name, (_, heal) in list(self._healing.items()):
            del self._healing[name]
            heal()
        self._supervise()

    def _heal_due(self) -> None:
        for name, (due, heal) in list(self._healing.items()):
            if due <= time.monotonic():
                del self._healing[name]
                heal()
        self._supervise()

    def _supervise(self) -> None:
        """Who ended without being killed is started again, as by any supervisor: a part was away when it began."""
        for name in self.arena.fallen():
            if name not in self._healing:
                self.counts["ended by itself"] += 1
                self.arena.start(name)

    def _strike(self, verb: str, name: str) -> tuple[float, Heal] | None:
        if verb == "pause":
            if name in self._healing:
                return None
            self.arena.pause(name)
            return 2.1 * self.arena.session_seconds, lambda: self.arena.resume(name)
        if name in self._healing and name not in self.arena.stopped:
            return None  # dead already
        self.arena.kill(name)
        return self.chance.uniform(0.0, 1.5), lambda: self.arena.start(name)

    def _fell(self, part: str) -> tuple[float, Heal]:
        if part == "broker":
            self.arena.kafka.kill()
            return self.chance.uniform(0.5, 3.0), self.arena.kafka.start
        self.arena.stop_database()
        return self.chance.uniform(0.2, 3.0), self.arena.start_database

    def _misanswer(self, kind: str) -> tuple[float, Heal]:
        answers = self.arena.mails.answers
        some = self.chance.sample(AUTHORITIES, len(AUTHORITIES) // 3)
        boxes = [f"buyers@{code.lower()}.example" for code in some]
        if kind == "smtp 4xx":
            answers.data.update(dict.fromkeys(boxes[::2], "451 4.3.0 Later"))
            answers.recipients.update(dict.fromkeys(boxes[1::2], "450 4.2.1 Busy"))
        elif kind == "smtp 5xx":
            answers.data.update(dict.fromkeys(boxes[::2], "554 5.6.0 Not taken"))
            answers.recipients.update(dict.fromkeys(boxes[1::2], "550 5.1.1 No such mailbox"))
        else:
            answers.hang.update(boxes)
        return self.chance.uniform(3.0, 7.0), answers.reset

    def _poison(self, part: str, toxic: Toxic, direction: str) -> tuple[float, Heal]:
        link: Link = self.arena.links[part]
        link.toxics[direction] = toxic  # type: ignore[index]
        return self.chance.uniform(2.0, 6.0), link.toxics.clear


def man(arena: Arena) -> None:
    """Starts the whole crew."""
    for name in CREW:
        arena.start(name)
