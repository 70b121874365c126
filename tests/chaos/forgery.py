"""What a forger does: copies, changes and puts together what it holds, and signs with the key that it has."""

import base64
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import SimpleNamespace
from typing import Any, Final

from events.cloudevents import Message
from events.jwk import SigningKey, new_key
from events.signing import HEADER
from events.topics import PLANS, authority_topic
from services.ingest.event_publisher import message_of
from services.store.authority_keys import AuthorityKey
from services.store.database import now
from tests.pipeline import invented_plans

FORGER: Final = "E06000015"
DAY: Final = date(2026, 11, 22)


@dataclass(frozen=True, slots=True)
class Forgery:
    """One record on its way to the matcher."""

    topic: str
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    def record(self) -> Any:
        return SimpleNamespace(
            topic=self.topic, partition=0, offset=0, key=b"k", headers=self.headers, value=self.value
        )


class Scene:
    """Authorities with keys, what they signed, and the register."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        plans = invented_plans(24, subjects=8)
        self.forger = new_key(FORGER)
        self.keys = {code: new_key(code) for code in sorted({plan.authority for plan in plans})} | {FORGER: self.forger}
        own = [
            plan.model_copy(update={"plan_id": f"{FORGER}:{n}", "authority": FORGER})
            for n, plan in enumerate(plans[:8])
        ]
        self.copies = [message_of(plan, self.keys[plan.authority]) for plan in plans]
        self.own = [message_of(plan, self.forger) for plan in own]
        self.unsigned = [message_of(plan) for plan in plans]
        self.register = {
            key.public.key_id: AuthorityKey(
                key_id=key.public.key_id, authority=code, public_key=key.public.x, valid_from=DAY, created_at=now()
            )
            for code, key in self.keys.items()
        }

    def any_message(self) -> Message:
        return self.chance.choice(self.chance.choice((self.copies, self.copies, self.own, self.unsigned)))


def plain(message: Message, topic: str) -> Forgery:
    """As it is published."""
    return Forgery(topic, tuple(message.headers), message.value)


Change = Callable[[Scene, Forgery], Forgery]


def _spoil(chance: random.Random, data: bytes) -> bytes:
    """Some bytes turned, cut out, doubled, or put in."""
    spoilt = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(spoilt) + 1)
        match chance.randrange(5):
            case 0 if at < len(spoilt):
                spoilt[at] ^= 1 << chance.randrange(8)
            case 1:
                del spoilt[at : at + chance.randint(1, 12)]
            case 2:
                spoilt[at:at] = spoilt[at : at + chance.randint(1, 40)]
            case 3:
                spoilt[at:at] = chance.choice(
                    (b"\0", b'"', b"\\", b"{", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"NaN", b" ")
                )
            case _:
                spoilt[at : at + 1] = chance.randbytes(1)
    return bytes(spoilt)


def spoil_value(scene: Scene, forgery: Forgery) -> Forgery:
    return replace(forgery, value=_spoil(scene.chance, forgery.value))


def spoil_header(scene: Scene, forgery: Forgery) -> Forgery:
    if not forgery.headers:
        return forgery
    at = scene.chance.randrange(len(forgery.headers))
    name, value = forgery.headers[at]
    if scene.chance.random() < 0.3:
        name = scene.chance.choice((name.upper(), name.title(), name + " ", "ce_" + name, name.replace("_", "-"), ""))
    else:
        value = _spoil(scene.chance, value)
    return replace(forgery, headers=(*forgery.headers[:at], (name, value), *forgery.headers[at + 1 :]))


def shuffle_headers(scene: Scene, forgery: Forgery) -> Forgery:
    """Some dropped, some doubled, some of another event."""
    headers = list(forgery.headers) + scene.chance.sample(list(scene.any_message().headers), scene.chance.randint(0, 3))
    scene.chance.shuffle(headers)
    kept = [header for header in headers if scene.chance.random() < 0.9]
    if scene.chance.random() < 0.7:
        kept = list(dict(kept).items())
    return replace(forgery, headers=tuple(kept))


def swap_value(scene: Scene, forgery: Forgery) -> Forgery:
    """Another event's value under these headers and this signature."""
    return replace(forgery, value=scene.any_message().value)


def swap_signature(scene: Scene, forgery: Forgery) -> Forgery:
    """Another event's signature, or none."""
    others = [header for header in scene.any_message().headers if header[0] == HEADER]
    return replace(forgery, headers=(*(h for h in forgery.headers if h[0] != HEADER), *others))


def rename(scene: Scene, forgery: Forgery) -> Forgery:
    """Another authority's code in some of the places where one stands, perhaps in disguise."""
    codes = [code.encode() for code in scene.keys]
    old, new = scene.chance.sample(codes, 2)
    if scene.chance.random() < 0.3:
        new = scene.chance.choice(
            (
                new.lower(),
                b"\\u00%02x" % new[0] + new[1:],
                new + b" ",
                new + b"\\n",
                "Е".encode() + new[1:],
                b"\xef\xbb\xbf" + new,
            )
        )
    return replace(forgery, value=forgery.value.replace(old, new, scene.chance.choice((-1, 1, 2))))


def say_twice(scene: Scene, forgery: Forgery) -> Forgery:
    """A second authority or plan id in the same object, before or after the first, in this or another case."""
    code = scene.chance.choice(list(scene.keys))
    name = scene.chance.choice(("authority", "plan_id", "Authority", "authorit\\u0079", "data", "plan_id "))
    member = json.dumps(code if "id" not in name else f"{code}:1").encode()
    extra = b'"' + name.encode() + b'":' + member
    if scene.chance.random() < 0.5:
        return replace(forgery, value=forgery.value.replace(b"{", b"{" + extra + b",", 1))
    return replace(forgery, value=b"}".join(forgery.value.rsplit(b"}", 1)[:1]) + b"," + extra + b"}")


def structure(scene: Scene, forgery: Forgery) -> Forgery:
    """In structured mode, with attributes of this or another event, the old headers kept or not."""
    headers = dict(scene.chance.choice((forgery.headers, tuple(scene.any_message().headers))))
    names = {n.removeprefix("ce_"): v.decode(errors="replace") for n, v in headers.items() if n.startswith("ce_")}
    data = json.dumps(names)[:-1].encode() + b',"data":' + forgery.value + b"}"
    kept = tuple(header for header in forgery.headers if not header[0].startswith("ce_") or scene.chance.random() < 0.1)
    mode = ("content-type", b"application/cloudevents+json")
    return replace(forgery, value=data, headers=(*(h for h in kept if h[0] != "content-type"), mode))


def sign_again(scene: Scene, forgery: Forgery) -> Forgery:
    """By the forger, over these very bytes and attributes, under its own key's name or another's, any algorithm."""
    key_id = scene.chance.choice((scene.forger.public.key_id, *scene.register))
    headers = dict(forgery.headers)
    names = {
        n: headers[f"ce_{n}"].decode(errors="replace")
        for n in ("id", "source", "type", "subject")
        if f"ce_{n}" in headers
    }
    algorithm = scene.chance.choice(("Ed25519", "Ed25519", "EdDSA", "none", "HS256"))
    protected: dict[str, Any] = {"alg": algorithm, "kid": key_id, "ce": names}
    if scene.chance.random() < 0.2:
        protected |= scene.chance.choice(
            ({"jwk": scene.forger.public.jwk()}, {"b64": False, "crit": ["b64"]}, {"crit": []})
        )
    return replace(
        forgery,
        headers=(*(h for h in forgery.headers if h[0] != HEADER), (HEADER, _jws(scene, protected, forgery.value))),
    )


def _jws(scene: Scene, protected: dict[str, Any], value: bytes) -> bytes:
    head, body = _b64(json.dumps(protected).encode()), _b64(value)
    signature = b"" if protected["alg"] == "none" else _by(scene.forger, head + b"." + body)
    middle = body if scene.chance.random() < 0.1 else b""
    return head + b"." + middle + b"." + _b64(signature)


def _by(key: SigningKey, data: bytes) -> bytes:
    made: bytes = key.key.private_key.sign(data)  # type: ignore[union-attr, call-arg]
    return made


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def move(scene: Scene, forgery: Forgery) -> Forgery:
    """To a topic that the forger may write, or to one with a name that is nearly another's."""
    near = f"{PLANS.name}.{scene.chance.choice(list(scene.keys))}"
    return replace(
        forgery,
        topic=scene.chance.choice(
            (
                authority_topic(FORGER),
                authority_topic(FORGER),
                PLANS.name,
                near + "\n",
                near.lower(),
                near + f".{FORGER}",
                PLANS.name + ".",
            )
        ),
    )


CHANGES: Final[Sequence[Change]] = (
    spoil_value,
    spoil_header,
    shuffle_headers,
    swap_value,
    swap_signature,
    rename,
    say_twice,
    structure,
    sign_again,
    sign_again,
    move,
)


def forge(scene: Scene) -> Forgery:
    """One forgery: an event of somebody, changed one to four times."""
    forgery = plain(scene.any_message(), PLANS.name)
    for _ in range(scene.chance.randint(1, 4)):
        forgery = scene.chance.choice(CHANGES)(scene, forgery)
    return forgery
