"""Each table that can hold words, and each topic, is either emptied by `jointly forget` or named here with the reason.

Who adds a table or a topic decides which it is, and proves the first by a test on a real database.
"""

from sqlalchemy import JSON, LargeBinary, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

from events.topics import TOPICS
from services.cli.blanking import TOPICS as BLANKED
from services.store import tables as declared

ERASED = {
    "audit_names": "names of an authority's people",
    "authorities": "the mailbox",
    "coalitions": "titles, and the words of invitations",
    "contracts": "of the authority",
    "embeddings": "vectors of the plan's texts",
    "mailbox_changes": "the new mailbox",
    "opportunities": "titles and reasons",
    "outbox": "messages with any of these",
    "plan_drafts": "of the plan, or of the authority",
    "plan_features": "vector and words",
    "plan_log": "every revision",
    "plans": "the state",
    "responses": "scopes, routes, notes, documents, bodies",
    "saved_searches": "of the authority",
}
KEPT = {
    "api_tokens": "labels name systems, and only their own council reads them",
    "audit_checkpoints": "sizes and signatures",
    "audit_head": "hashes",
    "audit_log": "ids, codes and hashes: the proof of what was done",
    "authority_keys": "public keys",
    "authority_mutes": "codes and ids",
    "benchmark_enquiries": "ids and answers from a list",
    "benchmark_notices": "ids",
    "benchmark_quarters": "statistics of at least five authorities",
    "benchmark_requests": "dates, and answers and decisions from a list",
    "coalition_members": "ids",
    "coalition_notices": "ids",
    "delegations": "codes and scopes from a list",
    "feed_cursors": "addresses of public feeds",
    "feed_plans": "ids and hashes",
    "feed_releases": "public notices without contact points",
    "forgotten_plans": "ids of what was forgotten",
    "framework_lots": "public agreements",
    "generation": "versions",
    "id_key": "random bits",
    "introduction_consents": "ids and answers from a list",
    "notification_intents": "ids and reasons from a list",
    "notification_mails": "ids and reasons, neither address nor text",
    "pair_verdicts": "ids, a hash, reasons from a list",
    "parties": "codes",
    "party_memberships": "codes",
    "plan_resets": "an operator's reason",
    "search_hits": "ids",
    "sign_in_codes": "hashes",
    "web_sessions": "hashes",
}
TOPICS_KEPT = {
    "audit.checkpoints.v1": "sizes and signatures",
    "charter.benchmarks.v1": "dates, and answers and decisions from a list",
    "collaboration.coalitions.v1": "compacted: the coalitions process writes each coalition again",
    "collaboration.notifications.v1": "ids and reasons",
    "collaboration.opportunities.v1": "compacted: the matcher writes each opportunity again, and then a tombstone",
    "collaboration.pages.v1": "retention",
    "collaboration.responses.v1": "retention",
    "procurement.contracts.v1": "retention",
    "procurement.notices.v1": "retention",
    "procurement.pages.v1": "retention",
    "procurement.plans.v1": "retention",
}


def test_each_table_of_words_is_erased_or_kept_for_a_reason() -> None:
    assert declared.__all__
    wordy = (String, AutoString, JSON, JSONB, LargeBinary, ARRAY)
    found = {
        table.name
        for table in SQLModel.metadata.tables.values()
        if table.schema is None and any(isinstance(column.type, wordy) for column in table.columns)
    }
    assert not ERASED.keys() & KEPT.keys()
    assert found == ERASED.keys() | KEPT.keys()


def test_each_topic_is_blanked_or_forgets_by_itself() -> None:
    blanked = {topic.name for topic in BLANKED}
    assert not blanked & TOPICS_KEPT.keys()
    assert {topic.name for topic in TOPICS} == blanked | TOPICS_KEPT.keys()
