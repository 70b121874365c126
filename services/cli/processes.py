"""`jointly matcher|notifier|relay`: the long-running processes."""

from services.runtime.settings import settings


def matcher() -> None:
    """Run a matcher: plan events in, opportunities out. Run several to share the partitions."""
    from services.matcher.app import run

    run(settings())


def notifier() -> None:
    """Run a notifier: opportunities in, mails out."""
    from services.notifier.app import run

    run(settings())


def relay() -> None:
    """Run a relay: publishes what matcher and notifier have written. A second one stands by."""
    from services.relay.app import run

    run(settings())
