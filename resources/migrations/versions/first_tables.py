"""First tables: manifest, recipes, chat-model ledger, published tags."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "image",
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=True),
        sa.Column("pixel_id", sa.Text(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("sidecar_mtime_ns", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("image_id"),
        sa.UniqueConstraint("uri"),
        schema="tagging",
    )
    op.create_index(op.f("ix_tagging_image_batch"), "image", ["batch"], unique=False, schema="tagging")
    op.create_index(op.f("ix_tagging_image_content_hash"), "image", ["content_hash"], unique=False, schema="tagging")
    op.create_index(op.f("ix_tagging_image_pixel_id"), "image", ["pixel_id"], unique=False, schema="tagging")
    op.create_table(
        "llm_call",
        sa.Column("call_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("prompt_hash", sa.Text(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("finish_reason", sa.Text(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True),
        sa.Column("completion_tokens", sa.Integer(), nullable=True),
        sa.Column("cost_usd", sa.Numeric(precision=14, scale=8), nullable=True),
        sa.Column("latency_seconds", sa.Float(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("call_id"),
        schema="tagging",
    )
    op.create_index(
        op.f("ix_tagging_llm_call_request_hash"), "llm_call", ["request_hash"], unique=False, schema="tagging"
    )
    op.create_table(
        "recipe",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
        schema="tagging",
    )
    op.create_index(op.f("ix_tagging_recipe_stage"), "recipe", ["stage"], unique=False, schema="tagging")
    op.create_table(
        "published_tag",
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sources", postgresql.JSONB(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["tagging.image.image_id"],
        ),
        sa.PrimaryKeyConstraint("image_id", "tag"),
        schema="tagging",
    )
    op.create_index(op.f("ix_tagging_published_tag_batch"), "published_tag", ["batch"], unique=False, schema="tagging")
    op.create_index("published_tag_by_tag", "published_tag", ["tag", "score"], unique=False, schema="tagging")
    op.create_index(
        "published_tag_sources",
        "published_tag",
        ["sources"],
        unique=False,
        schema="tagging",
        postgresql_using="gin",
    )
