"""What gathering, sending and recording work with, made once by the process's composition root."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from services.domain.links import LinkMaker
from services.domain.notification_caps import Caps
from services.notifier.channels import Channel
from services.notifier.rendering.email_message import Sender
from services.store.database import Sessions, now
from services.store.framework_index import FrameworkIndex
from services.store.supplier_contracts import SupplierGroups


@dataclass(frozen=True, slots=True)
class DispatchContext:
    """What sending needs. `chance` gives 0 to 1 for the jitter; without `links` emails lead to no pages, without
    `frameworks` they name none."""

    sessions: Sessions
    channel: Channel
    sender: Sender
    caps: Caps = field(default_factory=Caps)
    clock: Callable[[], datetime] = now
    chance: Callable[[], float] = random.random
    links: LinkMaker | None = None
    frameworks: FrameworkIndex | None = None
    suppliers: SupplierGroups = field(default_factory=SupplierGroups)


@dataclass(frozen=True, slots=True)
class ReadyEmail:
    """An email that is to be sent now, to whom, and the claim it is sent under."""

    mail_id: str
    holder: str
    purpose: str
    message: bytes
    recipient: str
