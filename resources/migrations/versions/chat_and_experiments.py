"""The ledger's money, what models were found to understand, provider batches, experiments, votes and marks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: What people said; it only ever grows.
_APPEND_ONLY = ("vote", "relevance_mark")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "chat_ability",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("dialect", postgresql.JSONB(), nullable=False),
        sa.Column("probed", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "model"),
        schema="tagging",
    )
    op.create_table(
        "experiment",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="tagging",
    )
    op.create_table(
        "promotion",
        sa.Column("promotion_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("configuration", sa.Text(), nullable=False),
        sa.Column("settings_path", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=False),
        sa.Column("after", postgresql.JSONB(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("promotion_id"),
        schema="tagging",
    )
    op.create_table(
        "provider_batch",
        sa.Column("provider_batch", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("collected_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("provider_batch"),
        schema="tagging",
    )
    op.create_index(
        op.f("ix_tagging_provider_batch_state"), "provider_batch", ["state"], unique=False, schema="tagging"
    )
    op.create_table(
        "relevance_mark",
        sa.Column("mark_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("relevant", sa.Boolean(), nullable=True),
        sa.Column("marker", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mark_id"),
        schema="tagging",
    )
    op.create_index("relevance_mark_of_image", "relevance_mark", ["image_id", "tag"], unique=False, schema="tagging")
    op.create_table(
        "vote",
        sa.Column("vote_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("left", sa.Text(), nullable=False),
        sa.Column("right", sa.Text(), nullable=False),
        sa.Column("winner", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("voter", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("vote_id"),
        schema="tagging",
    )
    op.create_index(op.f("ix_tagging_vote_experiment"), "vote", ["experiment"], unique=False, schema="tagging")
    op.create_table(
        "waiting_question",
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("prompt_hash", sa.Text(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), server_default="", nullable=False),
        sa.Column("reserved_usd", sa.Numeric(precision=14, scale=8), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider_batch", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("request_hash"),
        schema="tagging",
    )
    op.create_index(
        op.f("ix_tagging_waiting_question_provider_batch"),
        "waiting_question",
        ["provider_batch"],
        unique=False,
        schema="tagging",
    )
    op.add_column("llm_call", sa.Column("cached_tokens", sa.Integer(), nullable=True), schema="tagging")
    op.add_column("llm_call", sa.Column("cost_source", sa.Text(), server_default="", nullable=False), schema="tagging")
    op.add_column(
        "llm_call", sa.Column("reserved_usd", sa.Numeric(precision=14, scale=8), nullable=True), schema="tagging"
    )
    op.add_column("llm_call", sa.Column("purpose", sa.Text(), server_default="", nullable=False), schema="tagging")
    op.add_column("llm_call", sa.Column("provider_batch", sa.Text(), nullable=True), schema="tagging")
    op.create_index(op.f("ix_tagging_llm_call_asked_at"), "llm_call", ["asked_at"], unique=False, schema="tagging")
    op.create_index(op.f("ix_tagging_llm_call_purpose"), "llm_call", ["purpose"], unique=False, schema="tagging")
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON tagging.{table} "
            "FOR EACH ROW EXECUTE FUNCTION tagging.refuse_change()"
        )
