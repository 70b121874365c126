"""Checkpoints are the signed notes of C2SP: others' tools read them, and nobody changes one."""

import base64
import hashlib

import pytest

from events.jwk import PublicKey, new_key
from events.signed_notes import Checkpoint, NoteError, _key_hash, read_checkpoint, read_checkpoints, sign_checkpoint

KEY = new_key()
CHECKPOINT = Checkpoint("jointly.example/audit", 1204, hashlib.sha256(b"root").digest())
NOTE = sign_checkpoint(CHECKPOINT, KEY)


def test_the_key_hash_is_that_of_the_published_example() -> None:
    """The example of Go's note package: PeterNeumann+c74f20a3+ARpc2QcU..."""
    raw = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert _key_hash("PeterNeumann", PublicKey("", x)).hex() == "c74f20a3"


def test_a_note_has_the_published_form() -> None:
    origin, size, root, blank, signature, end = NOTE.split("\n")
    assert (origin, size, base64.b64decode(root)) == ("jointly.example/audit", "1204", CHECKPOINT.root)
    assert (blank, end) == ("", "")
    assert signature.startswith("\u2014 jointly.example/audit ")
    assert len(base64.b64decode(signature.rpartition(" ")[2])) == 4 + 64
    assert read_checkpoint(NOTE, KEY.public) == CHECKPOINT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1204", "1203"),
        ("jointly.example/audit\n1204", "other.example/audit\n1204"),
        ("\u2014 jointly", "\u2014 jonitly"),
    ],
)
def test_a_changed_note_is_refused(old: str, new: str) -> None:
    with pytest.raises(NoteError, match="is not signed by"):
        read_checkpoint(NOTE.replace(old, new, 1), KEY.public)


def test_the_signature_of_another_key_is_refused() -> None:
    with pytest.raises(NoteError, match="is not signed by"):
        read_checkpoint(sign_checkpoint(CHECKPOINT, new_key()), KEY.public)


def test_a_file_holds_several_notes() -> None:
    later = Checkpoint(CHECKPOINT.origin, 1300, CHECKPOINT.root)
    text = f"{NOTE}\n{sign_checkpoint(later, KEY)}\n"
    assert read_checkpoints(text, KEY.public) == [CHECKPOINT, later]


@pytest.mark.parametrize(
    "text", ["", "hello", NOTE.rpartition("\u2014")[0], NOTE + "rest\n", NOTE.replace("1204", "-4")]
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        read_checkpoints(text, KEY.public)
