"""Signatures: what fits is taken, whatever was changed is not, and nobody chooses the algorithm or brings a key."""

import base64
import hashlib
import hmac
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey
from typer.testing import CliRunner

from events.cloudevents import Event, Message, decode, encode
from events.jwk import KeyFileError, SigningKey, new_key, public_key, signing_key, to_file_text, verifying_key
from events.plans import PLAN_PAYLOADS, PlanPublished
from events.signing import HEADER, SignatureError, extract_signature, sign, signed_attributes, verify
from services.cli import application
from tests.unit.events.messages import STRUCTURED_HEADERS, event, example, headers_of, structured, value_of

GOLDEN = example(PlanPublished.type)
PLAN = PlanPublished.model_validate(GOLDEN["value"])
EVENT = event(PLAN)
KEY = new_key(PLAN.authority)
SIGNED = sign(EVENT, encode(EVENT, PLAN.plan_id), KEY)


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact_of(message: Message) -> str:
    return dict(message.headers)[HEADER].decode()


def check(headers: Any, value: bytes, key: SigningKey = KEY) -> None:
    """What the matcher does with a record's bytes and the key that the register has."""
    signature = extract_signature(headers)
    assert signature is not None
    verify(signature, decode(headers, value, PLAN_PAYLOADS), value, verifying_key(key.public.x))


def with_signature(compact: str | bytes) -> list[tuple[str, bytes]]:
    given = compact.encode() if isinstance(compact, str) else compact
    return [*((name, value) for name, value in SIGNED.headers if name != HEADER), (HEADER, given)]


def forged(header: dict[str, Any], signer: Callable[[bytes], bytes], payload: bytes = SIGNED.value) -> str:
    """A JWS made by hand: whatever header, signed by whatever."""
    protected = b64(json.dumps(header))
    return f"{protected}..{b64(signer(f'{protected}.{b64(payload)}'.encode()))}"


def by_key(data: bytes) -> bytes:
    signature: bytes = KEY.key.private_key.sign(data)  # type: ignore[union-attr, call-arg]
    return signature


HEADERS = {"alg": "Ed25519", "kid": KEY.public.key_id, "ce": signed_attributes(EVENT)}


def test_what_was_signed_is_taken_and_any_sdk_still_reads_it() -> None:
    check(SIGNED.headers, SIGNED.value)
    assert decode(SIGNED.headers, SIGNED.value, PLAN_PAYLOADS) == EVENT


def test_a_signature_made_by_hand_is_taken_under_either_name() -> None:
    for name in ("Ed25519", "EdDSA"):
        check(with_signature(forged({**HEADERS, "alg": name}, by_key)), SIGNED.value)


def test_a_structured_event_is_signed_as_a_whole() -> None:
    value = structured(GOLDEN)
    read = decode(STRUCTURED_HEADERS, value, PLAN_PAYLOADS)
    message = sign(read, Message(b"", STRUCTURED_HEADERS, value), KEY)
    check(message.headers, value)
    with pytest.raises(SignatureError, match="does not fit"):
        check(message.headers, structured(GOLDEN, time="2020-01-01T00:00:00Z"))


def test_an_event_without_a_signature_has_none() -> None:
    assert extract_signature(headers_of(GOLDEN)) is None


@pytest.mark.parametrize("changed", [b" ", value_of(GOLDEN, revision=99), value_of(GOLDEN, title="Something else")])
def test_other_bytes_are_refused(changed: bytes) -> None:
    with pytest.raises(SignatureError, match="does not fit"):
        check(SIGNED.headers, changed if changed.strip() else SIGNED.value + changed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_id", "another"),
        ("ce_source", "/authorities/E09000015/plans"),
        ("ce_type", "jointly.plan.updated.v1"),
        ("ce_subject", "E09000015:X"),
    ],
)
def test_other_attributes_are_refused(name: str, value: str) -> None:
    headers = [(n, value.encode() if n == name else v) for n, v in SIGNED.headers]
    with pytest.raises(SignatureError, match="other attributes"):
        check(headers, SIGNED.value)


def test_an_added_or_removed_attribute_is_refused() -> None:
    without = [(name, value) for name, value in SIGNED.headers if name != "ce_subject"]
    with pytest.raises(SignatureError, match="subject"):
        check(without, SIGNED.value)
    more = forged({**HEADERS, "ce": {**signed_attributes(EVENT), "\ud800": "x"}}, by_key)
    with pytest.raises(SignatureError, match="more than there are"):
        check(with_signature(more), SIGNED.value)


def test_another_key_does_not_verify() -> None:
    with pytest.raises(SignatureError, match="does not fit"):
        check(SIGNED.headers, SIGNED.value, new_key(PLAN.authority))


def test_a_signature_cut_or_turned_by_one_bit_is_refused() -> None:
    head, _, tail = compact_of(SIGNED).partition("..")
    raw = unb64(tail)
    for spoilt in (raw[:-1], raw + b"\0", bytes([raw[0] ^ 1]) + raw[1:], b"\0" * 64):
        with pytest.raises(SignatureError, match="does not fit"):
            check(with_signature(f"{head}..{b64(spoilt)}"), SIGNED.value)


@pytest.mark.parametrize("name", ["none", "HS256", "ES256", "RS256", "Ed448", "ed25519", "", 7, None, ["EdDSA"]])
def test_no_other_algorithm_is_taken(name: Any) -> None:
    """HS256 with the public key as the secret is the classic; `none` needs no key at all."""

    def by_public_key(data: bytes) -> bytes:
        return hmac.new(unb64(KEY.public.x), data, hashlib.sha256).digest()

    with pytest.raises(SignatureError, match="alg must be"):
        check(with_signature(forged({**HEADERS, "alg": name}, by_public_key)), SIGNED.value)


def test_a_jws_that_brings_its_own_payload_is_refused() -> None:
    """Or a good signature over one event would carry any other."""
    attached = jws.serialize_compact(
        {"alg": "Ed25519", "kid": KEY.public.key_id}, b"anything", KEY.key, algorithms=["Ed25519"]
    )
    with pytest.raises(SignatureError, match="not a detached JWS"):
        check(with_signature(attached), SIGNED.value)


@pytest.mark.parametrize(
    "more",
    [
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"jwk": KEY.public.jwk()},
        {"jku": "https://example.org/keys"},
        {"x5c": ["AAAA"]},
        {"typ": "JWT"},
    ],
)
def test_nothing_else_stands_in_its_header(more: dict[str, Any]) -> None:
    with pytest.raises(SignatureError, match="and nothing else"):
        check(with_signature(forged({**HEADERS, **more}, by_key)), SIGNED.value)


def test_an_unencoded_payload_is_not_taken_for_an_encoded_one() -> None:
    protected = b64(json.dumps(HEADERS))
    compact = f"{protected}..{b64(by_key(protected.encode() + b'.' + SIGNED.value))}"
    with pytest.raises(SignatureError, match="does not fit"):
        check(with_signature(compact), SIGNED.value)


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"..",
        b"a..b",
        b"\xff\xfe..\xff",
        b"." * 8000,
        b"x" * 9000,
        b64("[" * 5000).encode() + b"..AAAA",
        b64("{}").encode() + b"..AAAA",
        b64('{"alg":"Ed25519","alg":"none","kid":"k","ce":{}}').encode() + b"..AAAA",
        b64(json.dumps({**HEADERS, "kid": "../../etc/passwd"})).encode() + b"..AAAA",
        b64(json.dumps({**HEADERS, "kid": KEY.public.key_id + "\n"})).encode() + b"..AAAA",
        b64(json.dumps({**HEADERS, "ce": ["id"]})).encode() + b"..AAAA",
        b64(json.dumps({**HEADERS, "ce": {"id": 1}})).encode() + b"..AAAA",
    ],
)
def test_rubbish_is_refused_in_words_that_can_be_written_down(spoilt: bytes) -> None:
    with pytest.raises(SignatureError) as refused:
        check(with_signature(spoilt), SIGNED.value)
    assert str(refused.value).encode().decode().isprintable()


def test_two_signatures_are_refused_whatever_their_case() -> None:
    with pytest.raises(SignatureError, match="twice"):
        extract_signature([*SIGNED.headers, (HEADER.upper(), b"x..y")])


def test_what_would_be_too_long_is_not_signed() -> None:
    long = Event(
        **{**{n: getattr(EVENT, n) for n in ("type", "time", "payload", "subject", "source")}, "id": "i" * 9000}
    )
    with pytest.raises(SignatureError, match="signed"):
        sign(long, encode(long, "k"), KEY)


# --- keys


def test_a_key_comes_back_from_its_file() -> None:
    assert signing_key(to_file_text(KEY.private_jwk()).encode()).public == KEY.public
    assert public_key(to_file_text(KEY.public.jwk()).encode()) == KEY.public
    assert "d" not in KEY.public.jwk()
    assert KEY.private_jwk()["d"] not in f"{KEY} {KEY!r}"


@pytest.mark.parametrize(
    ("jwk", "says"),
    [
        (KEY.private_jwk(), "must not leave its owner"),
        (OctKey.generate_key(256).as_dict(private=True), "not an Ed25519 key"),
        (ECKey.generate_key("P-256").as_dict(private=False), "not an Ed25519 key"),
        (OKPKey.import_key(Ed448PrivateKey.generate()).as_dict(private=False), "not an Ed25519 key"),
        ({**KEY.public.jwk(), "x": "AAAA"}, "must be 32 bytes"),
        ({**KEY.public.jwk(), "x": 7}, "must be 32 bytes"),
        ({"kty": "OKP", "crv": "Ed25519"}, "must be 32 bytes"),
        ({**KEY.public.jwk(), "authority": 7}, "authority"),
        ([1], "not an Ed25519 key"),
    ],
)
def test_what_is_no_public_key_is_refused(jwk: Any, says: str) -> None:
    with pytest.raises(KeyFileError, match=says):
        public_key(json.dumps(jwk).encode())


def test_a_private_key_has_to_fit_its_public_part() -> None:
    with pytest.raises(KeyFileError, match="do not belong together"):
        signing_key(json.dumps({**KEY.private_jwk(), "x": new_key("E09000015").public.x}).encode())
    with pytest.raises(KeyFileError, match="needs the private one"):
        signing_key(to_file_text(KEY.public.jwk()).encode())
    for rubbish in (b"", b"\xff", b"{" * 5000, b"-----BEGIN PRIVATE KEY-----"):
        with pytest.raises(KeyFileError):
            signing_key(rubbish)


def test_a_new_key_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "leeds.jwk"
    made = CliRunner().invoke(application("keys"), ["keys", "make", "E08000035", "--private-key", str(file)])
    assert made.exit_code == 0
    private = signing_key(file.read_bytes())
    assert public_key(made.stdout.encode()) == private.public
    assert private.public.authority == "E08000035"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = CliRunner().invoke(application("keys"), ["keys", "make", "E08000035", "--private-key", str(file)])
    assert (again.exit_code, signing_key(file.read_bytes()).public) == (2, private.public)
    assert CliRunner().invoke(application("keys"), ["keys", "make", "E 1", "--private-key", "x"]).exit_code == 2
