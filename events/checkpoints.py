"""Checkpoints of the audit log. Anyone who keeps one can prove later that an entry was changed or cut off."""

from typing import ClassVar, Final

from pydantic import Field

from events.fields import Payload
from events.signed_notes import MAX_NOTE


class AuditCheckpointSigned(Payload):
    """The installation has signed the length and the root of its audit log."""

    type: ClassVar[str] = "jointly.audit.checkpoint.v1"

    origin: str = Field(max_length=200, description="The name under which the installation signs")
    size: int = Field(ge=0, description="Number of entries in the log")
    root: str = Field(pattern=r"^[0-9a-f]{64}$", description="Root of their RFC 6962 hash tree")
    note: str = Field(max_length=MAX_NOTE, description="The same content as a signed note (C2SP tlog-checkpoint)")


CHECKPOINT_PAYLOADS: Final[tuple[type[AuditCheckpointSigned], ...]] = (AuditCheckpointSigned,)
