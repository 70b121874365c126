"""A matcher whose encoder needs no weights, on a test's database."""

from matching.encoders.loading import load_embedder
from matching.engine import Engine
from services.matcher.app import adopt
from services.matcher.batch_handler import Matcher
from services.matcher.context import MatcherContext
from services.platform.settings import Settings
from services.store.database import Sessions
from tests.pipeline import AS_OF


async def make_matcher(sessions: Sessions, settings: Settings | None = None) -> Matcher:
    """The database is of this matcher's generation from now on. Without settings, plans are judged as of AS_OF."""
    embedder = load_embedder("hashing")
    context = MatcherContext(Engine.load(model=embedder.model), embedder, settings or Settings(as_of=AS_OF))
    await adopt(context, sessions)
    return Matcher(context, sessions, producer=None)  # type: ignore[arg-type]
