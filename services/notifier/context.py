"""The dependencies of batching, sending and recording. The process's composition root creates them once."""

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
    """The dependencies of sending. `chance` gives 0 to 1 for the jitter. Without `links` emails have no links to pages,
    and without `frameworks` they name none."""

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
    """An email ready to be sent: its bytes, its recipient, and the lease it is sent under."""

    mail_id: str
    lease_owner: str
    purpose: str
    message: bytes
    recipient: str
