"""The Postgres tables, as SQLAlchemy Core; the migrations in ``resources/migrations`` create exactly these.

All live in the schema ``tagging``, beside Dagster's own tables in the same database. A test compares them with
what the migrations make.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData(schema="tagging")

_UTC = sa.DateTime(timezone=True)

#: The manifest: every photo ever seen, its identity, and the batch it belongs to for good.
image = sa.Table(
    "image",
    metadata,
    sa.Column("image_id", sa.Text, primary_key=True),
    sa.Column("uri", sa.Text, nullable=False, unique=True),
    sa.Column("batch", sa.Text, nullable=False, index=True),
    sa.Column("content_hash", sa.Text, index=True),
    sa.Column("pixel_id", sa.Text, index=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sa.Column("sidecar_mtime_ns", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("first_seen", _UTC, nullable=False),
    sa.Column("changed_at", _UTC, nullable=False),
    sa.Column("gone_at", _UTC),
)

#: What each recipe hash stands for, so that an old row can still be explained.
recipe = sa.Table(
    "recipe",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, nullable=False, index=True),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("first_seen", _UTC, nullable=False),
)

#: The ledger: every question put to a chat model, and what came of it.
llm_call = sa.Table(
    "llm_call",
    metadata,
    sa.Column("call_id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("request_hash", sa.Text, nullable=False, index=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("prompt_id", sa.Text, nullable=False),
    sa.Column("prompt_hash", sa.Text, nullable=False),
    sa.Column("parameters", JSONB, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("finish_reason", sa.Text),
    sa.Column("reply", sa.Text),
    sa.Column("prompt_tokens", sa.Integer),
    sa.Column("completion_tokens", sa.Integer),
    sa.Column("cost_usd", sa.Numeric(14, 8)),
    sa.Column("latency_seconds", sa.Float, nullable=False),
    sa.Column("asked_at", _UTC, nullable=False),
)

#: The tags the world sees, one row per (image, tag); withdrawn rows stay.
published_tag = sa.Table(
    "published_tag",
    metadata,
    sa.Column("image_id", sa.Text, sa.ForeignKey("tagging.image.image_id"), primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column("batch", sa.Text, nullable=False, index=True),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("sources", JSONB, nullable=False),
    sa.Column("recipe", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("published_at", _UTC, nullable=False),
    sa.Column("withdrawn_at", _UTC),
    sa.Index("published_tag_by_tag", "tag", "score"),
    sa.Index("published_tag_sources", "sources", postgresql_using="gin"),
)
