"""Sums per batch and stage, decisions, calibrations, and the history of published tags."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: What only ever grows; emptying a whole table (``TRUNCATE``) is left to whoever may do that.
_APPEND_ONLY = ("tag_event", "decision")

_REFUSE = """
CREATE FUNCTION tagging.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of tagging.% are never changed or erased', TG_TABLE_NAME;
END $$
"""

_BATCHES = """
INSERT INTO tagging.batch (batch, images, gone, revision, changed_at)
SELECT batch, count(*) FILTER (WHERE gone_at IS NULL), count(gone_at), 1, max(changed_at)
FROM tagging.image GROUP BY batch
"""

#: Tags that were published before there was a history: it begins with them.
_HISTORY = """
INSERT INTO tagging.tag_event (at, image_id, tag, batch, operation, run_id, change, after)
SELECT published_at, image_id, tag, batch, run_id, run_id, 'published',
       jsonb_build_object('category', category, 'score', score, 'status', status, 'reason', reason,
                          'sources', sources, 'recipe', recipe, 'run_id', run_id)
FROM tagging.published_tag WHERE withdrawn_at IS NULL ORDER BY published_at
"""


def upgrade() -> None:
    """Create them, and fill what can be told from the first tables."""
    op.create_table(
        "batch",
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("images", sa.Integer(), server_default="0", nullable=False),
        sa.Column("gone", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("decisions", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("batch"),
        schema="tagging",
    )
    op.create_table(
        "calibration",
        sa.Column("calibration_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("calibration_id"),
        schema="tagging",
    )
    op.create_table(
        "claim",
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("batch"),
        schema="tagging",
    )
    op.create_table(
        "folder",
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("path"),
        schema="tagging",
    )
    op.create_index(op.f("ix_tagging_folder_looked_at"), "folder", ["looked_at"], unique=False, schema="tagging")
    op.create_table(
        "held_decision",
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("image_id", "output"),
        schema="tagging",
    )
    op.create_index(
        op.f("ix_tagging_held_decision_operation"), "held_decision", ["operation"], unique=False, schema="tagging"
    )
    op.create_table(
        "operation",
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("undoes", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operation_id"),
        schema="tagging",
    )
    op.create_table(
        "source_text",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
        schema="tagging",
    )
    op.create_table(
        "stage_state",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("above", postgresql.JSONB(), nullable=False),
        sa.Column("kept", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("ok", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("stage", "batch"),
        schema="tagging",
    )
    op.create_index(
        op.f("ix_tagging_stage_state_retry_at"), "stage_state", ["retry_at"], unique=False, schema="tagging"
    )
    op.create_table(
        "tag_event",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=True),
        sa.Column("after", postgresql.JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("event_id"),
        schema="tagging",
    )
    op.create_index(op.f("ix_tagging_tag_event_operation"), "tag_event", ["operation"], unique=False, schema="tagging")
    op.create_index(op.f("ix_tagging_tag_event_run_id"), "tag_event", ["run_id"], unique=False, schema="tagging")
    op.create_index("tag_event_of_image", "tag_event", ["image_id", "event_id"], unique=False, schema="tagging")
    op.create_table(
        "decision",
        sa.Column("decision_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("replaces", sa.Text(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("sources", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["tagging.image.image_id"],
        ),
        sa.PrimaryKeyConstraint("decision_id"),
        schema="tagging",
    )
    op.create_index("decision_of_tag", "decision", ["image_id", "tag", "decision_id"], unique=False, schema="tagging")
    op.add_column(
        "image",
        sa.Column(
            "folder",
            sa.Text(collation="C"),
            sa.Computed("regexp_replace(uri, '[/\\\\][^/\\\\]*$', '')", persisted=True),
            nullable=True,
        ),
        schema="tagging",
    )
    op.create_index(op.f("ix_tagging_image_folder"), "image", ["folder"], unique=False, schema="tagging")
    op.execute(_REFUSE)
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON tagging.{table} "
            "FOR EACH ROW EXECUTE FUNCTION tagging.refuse_change()"
        )
    op.execute(_BATCHES)
    op.execute(_HISTORY)
