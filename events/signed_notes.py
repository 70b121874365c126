"""Signed notes and checkpoints in the format of C2SP: readable text that any tool for this format can verify.

A checkpoint is a note of three lines (who signs, how many entries, root of their hash tree) and a signature line.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature

from events.jwk import PublicKey, SigningKey, verifying_key

_DASH: Final = "\u2014"
_ED25519: Final = b"\x01"
_HASH_BYTES: Final = 32
_ID_BYTES: Final = 4
MAX_NOTE: Final = 4096


class NoteError(ValueError):
    """Not a checkpoint, or not signed by this key; the message says which."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The content of a checkpoint: `root` is the hash of the first `size` entries of the log named `origin`."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The signed lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> str:
    """Format a checkpoint as a signed note."""
    signature: bytes = key.key.private_key.sign(checkpoint.text.encode())  # type: ignore[union-attr]
    line = base64.b64encode(_key_hash(checkpoint.origin, key.public) + signature).decode()
    return f"{checkpoint.text}\n{_DASH} {checkpoint.origin} {line}\n"


def read_checkpoint(note: str, key: PublicKey | None) -> Checkpoint:
    """Parse the checkpoint of a note, and verify its signature if a key is given. Raises NoteError."""
    text, blank, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if len(note) > MAX_NOTE or not blank or len(lines) != 3:
        raise NoteError("is not a checkpoint: expected a name, a size, a root, an empty line and a signature")
    origin, size, encoded = lines
    root = _decode(encoded)
    if not origin or not size.isascii() or not size.isdigit() or root is None or len(root) != _HASH_BYTES:
        raise NoteError("is not a checkpoint: its size is not a number, or its root not a hash in base64")
    checkpoint = Checkpoint(origin, int(size), root)
    if key is not None:
        _verify(checkpoint, signatures, key)
    return checkpoint


def read_checkpoints(text: str, key: PublicKey | None) -> list[Checkpoint]:
    """Parse a file of consecutive notes. Raises NoteError."""
    found: list[Checkpoint] = []
    note: list[str] = []
    for line in text.split("\n"):
        if not line and not note:
            continue
        note.append(line)
        if line.startswith(f"{_DASH} "):
            found.append(read_checkpoint("\n".join(note) + "\n", key))
            note = []
    if any(note) or not found:
        raise NoteError("does not end with a checkpoint's signature line")
    return found


def _verify(checkpoint: Checkpoint, signatures: str, key: PublicKey) -> None:
    prefix = f"{_DASH} {checkpoint.origin} "
    for line in signatures.splitlines():
        signed = _decode(line.removeprefix(prefix)) if line.startswith(prefix) else None
        if signed is None or signed[:_ID_BYTES] != _key_hash(checkpoint.origin, key):
            continue
        try:
            verifying_key(key.x).public_key.verify(signed[_ID_BYTES:], checkpoint.text.encode())  # type: ignore[union-attr]
        except InvalidSignature:
            break
        return
    raise NoteError(f"the checkpoint of {checkpoint.size} entries is not signed by key {key.key_id}")


def _key_hash(origin: str, key: PublicKey) -> bytes:
    raw = verifying_key(key.x).public_key.public_bytes_raw()
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + raw).digest()[:_ID_BYTES]


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
