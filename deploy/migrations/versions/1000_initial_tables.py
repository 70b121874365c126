"""Initial tables"""

import sqlalchemy as sa
import sqlmodel
from alembic import op
from sqlalchemy.dialects import postgresql

from services.store.schema import FUNCTIONS, TRIGGERS

revision = "1000"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("subject", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("actor", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index(op.f("ix_audit_log_authority"), "audit_log", ["authority"], unique=False)
    op.create_index(op.f("ix_audit_log_subject"), "audit_log", ["subject"], unique=False)
    # Also the owner of the table, whom the processes sign in as in a simple installation.
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM PUBLIC, CURRENT_USER")
    op.create_table(
        "audit_head",
        sa.Column("only", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("only"),
    )
    op.execute("INSERT INTO audit_head VALUES (true, 0, '')")
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.Column("note", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "audit_names",
        sa.Column("actor", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("job_title", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor"),
    )
    op.create_index(op.f("ix_audit_names_authority"), "audit_names", ["authority"], unique=False)
    op.create_table(
        "authorities",
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("mailbox", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("mailbox_ref", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("immediate", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.Boolean(), nullable=False),
        sa.Column("confirmations", sa.Boolean(), nullable=False),
        sa.Column("benchmarks", sa.Boolean(), nullable=False),
        sa.Column("coalitions", sa.Boolean(), nullable=False),
        sa.Column("confirmation_asked_on", sa.Date(), nullable=True),
        sa.Column("paused_until", sa.Date(), nullable=True),
        sa.Column("signed_on", sa.Date(), nullable=True),
        sa.Column("lapsed_on", sa.Date(), nullable=True),
        sa.Column("withdrawn_on", sa.Date(), nullable=True),
        sa.Column("signatory", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("authority"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("token_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("token_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("prefix", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("label", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["authority"], ["authorities.authority"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index(op.f("ix_api_tokens_authority"), "api_tokens", ["authority"], unique=False)
    op.create_table(
        "embeddings",
        sa.Column("text_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("model", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("text_hash", "model"),
    )
    op.create_table(
        "feed_cursors",
        sa.Column("source", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("collected_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_url", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_page_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "feed_plans",
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("ocid", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_index(op.f("ix_feed_plans_authority"), "feed_plans", ["authority"], unique=False)
    op.create_table(
        "feed_releases",
        sa.Column("source", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("release_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("released", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("ocid", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("notice_year", sa.Integer(), nullable=True),
        sa.Column("notice_number", sa.Integer(), nullable=True),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "release_id", "released"),
    )
    op.create_index("feed_releases_number", "feed_releases", ["source", "notice_year", "notice_number"], unique=False)
    op.create_index("feed_releases_ocid", "feed_releases", ["ocid"], unique=False)
    op.create_table(
        "forgotten_plans",
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_table(
        "generation",
        sa.Column("only", sa.Boolean(), nullable=False),
        sa.Column("generation", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("policy", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("statistics", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("model", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("only"),
    )
    op.create_table(
        "id_key",
        sa.Column("only", sa.Boolean(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("only"),
    )
    # The server draws the secret, so that no log of statements holds it: 244 random bits of two random UUIDs.
    op.execute(
        "INSERT INTO id_key VALUES"
        " (true, decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'))"
    )
    op.create_table(
        "notification_mails",
        sa.Column("mail_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("channel", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("purpose", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("coalition_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("message_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unknown_outcomes", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mail_id"),
    )
    op.create_index("notification_mails_authority", "notification_mails", ["authority", "created_at"], unique=False)
    op.create_index(
        "notification_mails_next",
        "notification_mails",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'claimed', 'sending', 'ambiguous')"),
    )
    op.create_table(
        "opportunities",
        sa.Column("opportunity_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("plan_a", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("plan_b", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision_a", sa.BigInteger(), nullable=False),
        sa.Column("revision_b", sa.BigInteger(), nullable=False),
        sa.Column("authority_a", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority_b", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("material_revision", sa.BigInteger(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("band", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("last_notified", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("content_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("causation_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("generation", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("assessed_as_of", sa.Date(), nullable=False),
        sa.Column("review_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tombstoned_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("opportunity_id"),
    )
    op.create_index(op.f("ix_opportunities_authority_a"), "opportunities", ["authority_a"], unique=False)
    op.create_index(op.f("ix_opportunities_authority_b"), "opportunities", ["authority_b"], unique=False)
    op.create_index("opportunities_plan_a", "opportunities", ["plan_a", "status"], unique=False)
    op.create_index("opportunities_plan_b", "opportunities", ["plan_b", "status"], unique=False)
    op.create_index(
        "opportunities_review",
        "opportunities",
        ["review_on"],
        unique=False,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("topic", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column("event_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("outbox_latest", "outbox", ["topic", "key", "id"], unique=False)
    op.create_index(
        "outbox_waiting", "outbox", ["shard", "id"], unique=False, postgresql_where=sa.text("published_at IS NULL")
    )
    op.create_table(
        "plan_features",
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("generation", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("joinable", sa.Boolean(), nullable=False),
        sa.Column("earliest", sa.Integer(), nullable=False),
        sa.Column("latest", sa.Integer(), nullable=False),
        sa.Column("flexible", sa.Integer(), nullable=False),
        sa.Column("preparation_days", sa.Integer(), nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("areas", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("council", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("text_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("feature_blob", sa.LargeBinary(), nullable=True),
        sa.Column(
            "written_xid",
            sa.BigInteger(),
            server_default=sa.text("((pg_current_xact_id())::text)::bigint"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("plan_id"),
        postgresql_with={"fillfactor": 70, "toast_tuple_target": 128},
    )
    op.create_index("plan_features_written", "plan_features", ["written_xid", "plan_id"], unique=False)
    op.create_table(
        "plan_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("event_type", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("content_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("origin", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("annulled_by", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("plan_id", "revision"),
    )
    op.create_table(
        "plan_resets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("from_revision", sa.BigInteger(), nullable=False),
        sa.Column("to_revision", sa.BigInteger(), nullable=False),
        sa.Column("operator", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_plan_resets_plan_id"), "plan_resets", ["plan_id"], unique=False)
    op.create_table(
        "plans",
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("matchable", sa.Boolean(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("event_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("traceparent", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assessed_revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_index(op.f("ix_plans_authority"), "plans", ["authority"], unique=False)
    op.create_index(
        "plans_active", "plans", ["plan_id", "revision"], unique=False, postgresql_where=sa.text("matchable")
    )
    op.create_index(
        "plans_unassessed", "plans", ["plan_id"], unique=False, postgresql_where=sa.text("assessed_revision < revision")
    )
    op.create_index(
        "plans_category",
        "plans",
        [sa.text("left(state #>> '{cpv,0}', 5)")],
        postgresql_where=sa.text("status = 'active' AND state -> 'current_contract' <> 'null'"),
    )
    op.create_table(
        "authority_keys",
        sa.Column("key_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("public_key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["authority"], ["authorities.authority"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_index(op.f("ix_authority_keys_authority"), "authority_keys", ["authority"], unique=False)
    op.create_table(
        "authority_mutes",
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("subject", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.ForeignKeyConstraint(["authority"], ["authorities.authority"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("authority", "kind", "subject"),
    )
    op.create_table(
        "notification_intents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("opportunity_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("material_revision", sa.BigInteger(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("partner", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("channel", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("purpose", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("band", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("change", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("occasion", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("only_if_notified", sa.Boolean(), nullable=False),
        sa.Column("possibly_delivered", sa.Boolean(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("mail_count", sa.Integer(), nullable=False),
        sa.Column("mail_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("source_event_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("causation_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["mail_id"],
            ["notification_mails.mail_id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "opportunity_id",
            "material_revision",
            "authority",
            "channel",
            "occasion",
            name="notification_intents_once",
        ),
    )
    op.create_index(
        "notification_intents_due",
        "notification_intents",
        ["authority", "due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("notification_intents_mail", "notification_intents", ["mail_id"], unique=False)
    op.create_index(
        "notification_intents_over_cap",
        "notification_intents",
        ["authority", "partner"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND reason = 'over-a-cap'"),
    )
    op.create_table(
        "introduction_consents",
        sa.Column("opportunity_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("answer", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("ask_again_on", sa.Date(), nullable=True),
        sa.Column("asked_on", sa.Date(), nullable=True),
        sa.Column("response_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("opportunity_id", "authority"),
    )
    op.create_table(
        "coalitions",
        sa.Column("coalition_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("content_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("status_by", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("review_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("coalition_id"),
    )
    op.create_index("coalitions_review", "coalitions", ["review_on"], postgresql_where=sa.text("review_on IS NOT NULL"))
    op.create_index("coalitions_status", "coalitions", ["status", "created_at"])
    op.create_table(
        "coalition_members",
        sa.Column("coalition_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("plan_revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["coalition_id"], ["coalitions.coalition_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("coalition_id", "plan_id"),
    )
    op.create_index("ix_coalition_members_plan_id", "coalition_members", ["plan_id"])
    op.create_index("ix_coalition_members_authority", "coalition_members", ["authority"])
    op.create_table(
        "responses",
        sa.Column("speaker", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("response_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("subject", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("subject_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("content_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("outcome", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("detail", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("change", postgresql.JSONB(), nullable=True),
        sa.Column("about", postgresql.JSONB(), nullable=True),
        sa.Column("asked", postgresql.JSONB(), nullable=True),
        sa.Column("reply_by", sa.Date(), nullable=True),
        sa.Column("undone_by", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("receipt_mail_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("speaker", "response_id"),
    )
    op.create_index("responses_subject", "responses", ["subject_id", "received_at"])
    op.create_index("ix_responses_authority", "responses", ["authority"])
    op.create_index("ix_responses_receipt_mail_id", "responses", ["receipt_mail_id"])
    op.create_index(
        "responses_without_receipt",
        "responses",
        ["response_id"],
        postgresql_where=sa.text("receipt_mail_id IS NULL AND outcome = 'recorded'"),
    )
    op.create_index("ix_responses_plan_id", "responses", ["plan_id"])
    op.create_index("responses_convened", "responses", ["authority"], postgresql_where=sa.text("kind = 'convened'"))
    op.create_index("responses_documents", "responses", ["received_at"], postgresql_where=sa.text("kind = 'document'"))
    op.create_table(
        "pair_verdicts",
        sa.Column("plan_a", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("plan_b", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("words", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("response_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("plan_a", "plan_b", "authority"),
    )
    for column in ("plan_b", "response_id"):
        op.create_index(f"ix_pair_verdicts_{column}", "pair_verdicts", [column])
    op.create_table(
        "benchmark_quarters",
        sa.Column("quarter", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("cells", postgresql.JSONB(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("quarter"),
    )
    op.create_table(
        "benchmark_requests",
        sa.Column("request_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("current_end", sa.Date(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("request_id"),
        sa.UniqueConstraint("plan_id", "current_end", name="benchmark_requests_once"),
    )
    op.create_index("ix_benchmark_requests_plan_id", "benchmark_requests", ["plan_id"])
    op.create_index("ix_benchmark_requests_authority", "benchmark_requests", ["authority"])
    op.create_table(
        "benchmark_notices",
        sa.Column("mail_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("request_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mail_id"),
        sa.UniqueConstraint("request_id", "authority", "kind", name="benchmark_notices_once"),
    )
    op.create_table(
        "benchmark_enquiries",
        sa.Column("request_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("holding", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("answer", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("contract_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("request_id", "authority"),
    )
    op.create_index("benchmark_enquiries_authority", "benchmark_enquiries", ["authority", "asked_on"])
    op.create_table(
        "contracts",
        sa.Column("contract_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("status", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=True),
        sa.Column("content_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("event_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("contract_id"),
    )
    op.create_index("ix_contracts_authority", "contracts", ["authority"])
    op.create_index(
        "contracts_category",
        "contracts",
        [sa.text("left(payload #>> '{cpv,0}', 5)")],
        postgresql_where=sa.text("status = 'published'"),
    )
    op.create_table(
        "coalition_notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("coalition_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("occasion", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("mail_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["mail_id"], ["notification_mails.mail_id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("coalition_id", "authority", "kind", "occasion", name="coalition_notices_once"),
    )
    op.create_index("ix_coalition_notices_mail_id", "coalition_notices", ["mail_id"])
    op.create_table(
        "framework_lots",
        sa.Column("framework", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("lot", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("framework", "lot"),
    )
    op.create_table(
        "plan_drafts",
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("base_revision", sa.BigInteger(), nullable=False),
        sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["authority"], ["authorities.authority"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_index(op.f("ix_plan_drafts_authority"), "plan_drafts", ["authority"], unique=False)
    op.create_table(
        "saved_searches",
        sa.Column("search_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("query", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("news", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_to", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["authority"], ["authorities.authority"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("search_id"),
    )
    op.create_index(op.f("ix_saved_searches_authority"), "saved_searches", ["authority"], unique=False)
    op.create_table(
        "search_hits",
        sa.Column("search_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("mail_id", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.ForeignKeyConstraint(["search_id"], ["saved_searches.search_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("search_id", "plan_id"),
    )
    op.create_table(
        "sign_in_codes",
        sa.Column("ticket_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("mailbox_ref", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("code_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["authority"], ["authorities.authority"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("ticket_hash"),
    )
    op.create_index(op.f("ix_sign_in_codes_authority"), "sign_in_codes", ["authority"], unique=False)
    op.create_table(
        "mailbox_changes",
        sa.Column("change_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("actor", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("mailbox_ref", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("new_mailbox", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("present_code_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("new_code_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["authority"], ["authorities.authority"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("change_id"),
    )
    op.create_index(op.f("ix_mailbox_changes_authority"), "mailbox_changes", ["authority"], unique=False)
    op.create_table(
        "web_sessions",
        sa.Column("token_hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("mailbox_ref", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("actor", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["authority"], ["authorities.authority"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index(op.f("ix_web_sessions_authority"), "web_sessions", ["authority"], unique=False)
    op.create_table(
        "parties",
        sa.Column("party", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["party"], ["authorities.authority"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("party"),
    )
    op.create_table(
        "party_memberships",
        sa.Column("party", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("joined_on", sa.Date(), nullable=False),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["party"], ["parties.party"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("party", "authority", "joined_on"),
    )
    op.create_table(
        "delegations",
        sa.Column("authority", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("party", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("scope", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("response_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("authority", "party"),
    )
    op.create_index(op.f("ix_delegations_party"), "delegations", ["party"], unique=False)
    op.create_index(op.f("ix_party_memberships_authority"), "party_memberships", ["authority"], unique=False)
    # Random numbers don't shrink: to try costs time.
    op.execute("ALTER TABLE plan_features ALTER vector SET STORAGE EXTERNAL")
    for statement in (*FUNCTIONS.values(), *TRIGGERS.values()):
        op.execute(statement)


def downgrade() -> None:

    op.drop_table("delegations")
    op.drop_table("party_memberships")
    op.drop_table("parties")
    op.drop_table("web_sessions")
    op.drop_table("mailbox_changes")
    op.drop_table("sign_in_codes")
    op.drop_table("search_hits")
    op.drop_table("saved_searches")
    op.drop_table("plan_drafts")
    op.drop_table("framework_lots")
    op.drop_table("coalition_notices")
    op.drop_table("contracts")
    op.drop_table("benchmark_enquiries")
    op.drop_table("benchmark_notices")
    op.drop_table("benchmark_requests")
    op.drop_table("benchmark_quarters")
    op.drop_table("pair_verdicts")
    op.drop_table("responses")
    op.drop_table("coalition_members")
    op.drop_table("coalitions")
    op.drop_table("introduction_consents")
    op.drop_index(
        "notification_intents_over_cap",
        table_name="notification_intents",
        postgresql_where=sa.text("state = 'pending' AND reason = 'over-a-cap'"),
    )
    op.drop_index("notification_intents_mail", table_name="notification_intents")
    op.drop_index(
        "notification_intents_due", table_name="notification_intents", postgresql_where=sa.text("state = 'pending'")
    )
    op.drop_table("notification_intents")
    op.drop_table("authority_mutes")
    op.drop_index(op.f("ix_authority_keys_authority"), table_name="authority_keys")
    op.drop_table("authority_keys")
    op.drop_index("plans_unassessed", table_name="plans", postgresql_where=sa.text("assessed_revision < revision"))
    op.drop_index("plans_active", table_name="plans", postgresql_where=sa.text("matchable"))
    op.drop_index(op.f("ix_plans_authority"), table_name="plans")
    op.drop_table("plans")
    op.drop_index(op.f("ix_plan_resets_plan_id"), table_name="plan_resets")
    op.drop_table("plan_resets")
    op.drop_table("plan_log")
    op.drop_index("plan_features_written", table_name="plan_features")
    op.drop_table("plan_features")
    op.drop_index("outbox_waiting", table_name="outbox", postgresql_where=sa.text("published_at IS NULL"))
    op.drop_index("outbox_latest", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("opportunities_review", table_name="opportunities", postgresql_where=sa.text("status = 'active'"))
    op.drop_index("opportunities_plan_b", table_name="opportunities")
    op.drop_index("opportunities_plan_a", table_name="opportunities")
    op.drop_index(op.f("ix_opportunities_authority_b"), table_name="opportunities")
    op.drop_index(op.f("ix_opportunities_authority_a"), table_name="opportunities")
    op.drop_table("opportunities")
    op.drop_index(
        "notification_mails_next",
        table_name="notification_mails",
        postgresql_where=sa.text("state IN ('queued', 'claimed', 'sending', 'ambiguous')"),
    )
    op.drop_index("notification_mails_authority", table_name="notification_mails")
    op.drop_table("notification_mails")
    op.drop_table("id_key")
    op.drop_table("generation")
    op.drop_table("forgotten_plans")
    op.drop_index("feed_releases_ocid", table_name="feed_releases")
    op.drop_index("feed_releases_number", table_name="feed_releases")
    op.drop_table("feed_releases")
    op.drop_index(op.f("ix_feed_plans_authority"), table_name="feed_plans")
    op.drop_table("feed_plans")
    op.drop_table("feed_cursors")
    op.drop_table("embeddings")
    op.drop_table("api_tokens")
    op.drop_table("authorities")
    op.drop_table("audit_names")
    op.drop_table("audit_checkpoints")
    op.drop_table("audit_head")
    op.drop_table("audit_log")
    for name in FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}()")
