"""The Postgres tables, as SQLAlchemy Core; the migrations in ``resources/migrations`` create exactly these.

All live in the schema ``tagging``, beside Dagster's own tables in the same database. A test compares them with
what the migrations make.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

#: Compared byte by byte, so that an index finds everything below a folder.
_PLACE = sa.Text(collation="C")

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
    # The folder of the place, so that one folder is looked at without reading the rest of the manifest.
    sa.Column(
        "folder",
        _PLACE,
        sa.Computed("regexp_replace(uri, '[/\\\\][^/\\\\]*$', '')", persisted=True),
        nullable=True,
        index=True,
    ),
)

#: Batches, with what happened to their photos summed up: sweeps read this instead of millions of rows.
batch = sa.Table(
    "batch",
    metadata,
    sa.Column("batch", sa.Text, primary_key=True),
    sa.Column("images", sa.Integer, nullable=False, server_default="0"),
    sa.Column("gone", sa.Integer, nullable=False, server_default="0"),
    # Counts the changes to the photos of the batch, and to people's decisions about them.
    sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("decisions", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("changed_at", _UTC, nullable=False),
    # What the last complete run of the whole line was made from; see domain/staleness.py.
    sa.Column("done", sa.Text),
)

#: Watched folders as they were at the last look: a folder that was not modified has no new, lost or renamed file.
folder = sa.Table(
    "folder",
    metadata,
    sa.Column("path", _PLACE, primary_key=True),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sa.Column("looked_at", _UTC, nullable=False, index=True),
)

#: What each stage holds of each batch, summed up: whether it is stale is told without opening its table.
stage_state = sa.Table(
    "stage_state",
    metadata,
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("batch", sa.Text, primary_key=True),
    sa.Column("recipe", sa.Text, nullable=False),
    # Of what it holds; and of what it was made from, by the name of the table above.
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("above", JSONB, nullable=False),
    # Superseded results that may stand again, by recipe.
    sa.Column("kept", JSONB, nullable=False, server_default="{}"),
    sa.Column("ok", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    # Of the failed ones: those that are tried again, and when the first of them is due.
    sa.Column("waiting", sa.Integer, nullable=False, server_default="0"),
    sa.Column("retry_at", _UTC, index=True),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("updated_at", _UTC, nullable=False),
)

#: Batches that somebody has asked to be run; nobody else asks before the time is up.
claim = sa.Table(
    "claim",
    metadata,
    sa.Column("batch", sa.Text, primary_key=True),
    sa.Column("claimed_by", sa.Text, nullable=False),
    sa.Column("claimed_at", _UTC, nullable=False),
    # What it was asked for, and how often in vain.
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("until", _UTC, nullable=False),
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

#: What recipes name by hash only: prompts and label sets as they were.
source_text = sa.Table(
    "source_text",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
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
    sa.Column("asked_at", _UTC, nullable=False, index=True),
    sa.Column("cached_tokens", sa.Integer),
    # provider, settings, prices of DATE, local; empty where the cost is unknown
    sa.Column("cost_source", sa.Text, nullable=False, server_default=""),
    # The most it may cost, written down before it is asked; counts until its cost is known, and for good where the
    # process died in between.
    sa.Column("reserved_usd", sa.Numeric(14, 8)),
    # What the money was for: empty for tagging, else experiment/NAME.
    sa.Column("purpose", sa.Text, nullable=False, server_default="", index=True),
    # The provider's batch that answered it.
    sa.Column("provider_batch", sa.Text),
)

#: What a model was found to understand, so that the next process does not have to be refused again.
chat_ability = sa.Table(
    "chat_ability",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    # fields of resources.dialect.Dialect that it needed
    sa.Column("dialect", JSONB, nullable=False),
    # what `tagging models verify` saw: vision, json_schema, json_object, logprobs, …
    sa.Column("probed", JSONB, nullable=False, server_default="{}"),
    sa.Column("at", _UTC, nullable=False),
)

#: Batches handed to a provider's batch API, by the provider's own id.
provider_batch = sa.Table(
    "provider_batch",
    metadata,
    sa.Column("provider_batch", sa.Text, primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    # submitting while the provider has given it no id, then as the provider says; collected_at is set once it is read
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("questions", sa.Integer, nullable=False),
    sa.Column("answered", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("submitted_at", _UTC, nullable=False),
    sa.Column("polled_at", _UTC),
    sa.Column("collected_at", _UTC),
)

#: Questions that wait for a provider's batch, or for being put into one; gone once the ledger has the answer.
waiting_question = sa.Table(
    "waiting_question",
    metadata,
    sa.Column("request_hash", sa.Text, primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("prompt_id", sa.Text, nullable=False),
    sa.Column("prompt_hash", sa.Text, nullable=False),
    sa.Column("parameters", JSONB, nullable=False),
    # the body of the request, as one JSON text
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False, server_default=""),
    sa.Column("reserved_usd", sa.Numeric(14, 8)),
    sa.Column("queued_at", _UTC, nullable=False),
    # null while it waits for being submitted
    sa.Column("provider_batch", sa.Text, index=True),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
)

#: Experiments, by name: what was asked of whom about which photos.
experiment = sa.Table(
    "experiment",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    # purpose, configurations, repeats, image_ids, reference, judge; see domain/experiments.py
    sa.Column("body", JSONB, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("at", _UTC, nullable=False),
)

#: Blind comparisons of two configurations' tags for one photo, one row per vote, never changed.
vote = sa.Table(
    "vote",
    metadata,
    sa.Column("vote_id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("experiment", sa.Text, nullable=False, index=True),
    sa.Column("image_id", sa.Text, nullable=False),
    # labels of configurations, as they were shown
    sa.Column("left", sa.Text, nullable=False),
    sa.Column("right", sa.Text, nullable=False),
    # left, right, tie
    sa.Column("winner", sa.Text, nullable=False),
    # hash of both answers as shown: a vote on other answers does not count for these
    sa.Column("shown", sa.Text, nullable=False),
    sa.Column("voter", sa.Text, nullable=False),
    # person, judge
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Column("request_hash", sa.Text),
    sa.Column("at", _UTC, nullable=False),
)

#: People's word on whether a tag is relevant to a photo, for scoring; the newest of each marker holds.
relevance_mark = sa.Table(
    "relevance_mark",
    metadata,
    sa.Column("mark_id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("image_id", sa.Text, nullable=False),
    sa.Column("tag", sa.Text, nullable=False),
    # null takes the marker's earlier word back
    sa.Column("relevant", sa.Boolean),
    sa.Column("marker", sa.Text, nullable=False),
    sa.Column("at", _UTC, nullable=False),
    sa.Index("relevance_mark_of_image", "image_id", "tag"),
)

#: Configurations that became the production recipe, and what they replaced.
promotion = sa.Table(
    "promotion",
    metadata,
    sa.Column("promotion_id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("experiment", sa.Text, nullable=False),
    sa.Column("configuration", sa.Text, nullable=False),
    sa.Column("settings_path", sa.Text, nullable=False),
    # said: keys of the section llm that changed, as far as the file said them; text: hash of the file (source_text)
    sa.Column("before", JSONB, nullable=False),
    sa.Column("after", JSONB, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Column("at", _UTC, nullable=False),
    sa.Column("undone_at", _UTC),
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

#: What people said about tags, one row per verdict, never changed: the newest of a photo and tag holds.
decision = sa.Table(
    "decision",
    metadata,
    sa.Column("decision_id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("image_id", sa.Text, sa.ForeignKey("tagging.image.image_id"), nullable=False),
    sa.Column("tag", sa.Text, nullable=False),
    # accepted, rejected, added, or withdrawn: the machine's answer holds again
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("category", sa.Text),
    # the tag that was edited into this one
    sa.Column("replaces", sa.Text),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Column("at", _UTC, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    # what the machine said when it was decided: score and sources of the published tag
    sa.Column("score", sa.Float),
    sa.Column("sources", JSONB, nullable=False, server_default="[]"),
    sa.Index("decision_of_tag", "image_id", "tag", "decision_id"),
)

#: Calibrations fitted to decisions, newest in use.
calibration = sa.Table(
    "calibration",
    metadata,
    sa.Column("calibration_id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("made_at", _UTC, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
)

#: What somebody set going: one command, backfill or sweep, over however many Dagster runs.
operation = sa.Table(
    "operation",
    metadata,
    sa.Column("operation_id", sa.Text, primary_key=True),
    # run, retag, decide, undo
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Column("undoes", sa.Text),
    sa.Column("at", _UTC, nullable=False),
)

#: The history of published tags: a row per change, never changed and never erased (a trigger sees to it).
tag_event = sa.Table(
    "tag_event",
    metadata,
    sa.Column("event_id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("at", _UTC, nullable=False),
    sa.Column("image_id", sa.Text, nullable=False),
    sa.Column("tag", sa.Text, nullable=False),
    sa.Column("batch", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False, index=True),
    sa.Column("run_id", sa.Text, nullable=False, index=True),
    # published, changed, withdrawn
    sa.Column("change", sa.Text, nullable=False),
    # columns of published_tag; null where there was no row, and with withdrawn_at where the tag did not stand
    sa.Column("before", JSONB),
    sa.Column("after", JSONB),
    sa.Index("tag_event_of_image", "image_id", "event_id"),
)

#: Decisions of the machine that were undone: not published until the photo's tags are decided otherwise.
held_decision = sa.Table(
    "held_decision",
    metadata,
    sa.Column("image_id", sa.Text, primary_key=True),
    # hash of the rows that were undone, as in the record of the stage ``tags``
    sa.Column("output", sa.Text, primary_key=True),
    sa.Column("operation", sa.Text, nullable=False, index=True),
    sa.Column("at", _UTC, nullable=False),
)
