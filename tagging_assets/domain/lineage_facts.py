"""Short facts for people about what a stage made of one photo: what a node of the lineage says under its title."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tagging_assets.domain.gathering import PERSON
from tagging_assets.domain.lineage import Link, State
from tagging_assets.domain.models import PERSON_LABEL

Row = Mapping[str, Any]
Rows = Sequence[Row]


def stage_facts(link: Link) -> tuple[str, ...]:
    """One or two lines, e.g. ``3 boxes`` and ``best 0.91``."""
    if link.record is None:
        return ("no longer kept",) if link.state is State.LOST else ("nothing there",)
    if not link.record.ok:
        return (link.record.error_kind or "failed", link.record.error or "")
    told = _FACTS[link.stage](link.rows) if link.rows else ("nothing found",)
    return tuple(one for one in told if one)


def decision_facts(row: Row) -> tuple[str, tuple[str, ...]]:
    """Title and facts of a person's verdict."""
    facts = [f"by {row['who']}", f"{row['decided_at']:%Y-%m-%d %H:%M}"]
    if row.get("replaces"):
        facts.append(f"in place of {row['replaces']}")
    return str(row["verdict"]), tuple(facts)


def score_line(source: Row) -> str:
    """What a source says of a tag, counted or not: ``tagger (efficientnet-lite0): raw 0.21 < 0.30``."""
    sign = "≥" if source["counts"] else "<"
    end = f" → confidence {source['confidence']:.2f} × weight {source['weight']:.2f}" if source["counts"] else ""
    where = f", {source['subject']}" if source["subject"].startswith("person") else ""
    raw = f"raw {source['score']:.2f} {sign} {source['threshold']:.2f}"
    return f'{source["source"]} ({source["model"]}, as "{source["label"]}"{where}): {raw}{end}'


def event_line(event: Row) -> str:
    """A row of a tag's history: ``2026-11-21 14:05 changed: auto 0.82 → accepted 1.00, decide by anna: …``."""
    before, after = (f"{one['status']} {one['score']:.2f}" if one else "" for one in (event["before"], event["after"]))
    what = " → ".join(one for one in (before, after) if one)
    by = f", {event['kind']} by {event['who']}" if event.get("kind") and event.get("who") else ""
    why = f": {event['why']}" if event.get("why") else ""
    return f"{event['at'].astimezone():%Y-%m-%d %H:%M:%S} {event['change']}: {what}{by}{why}"


def worth(source: Row) -> float:
    """What a source alone makes of a tag's score, in [0, 1]."""
    return float(source["weight"]) * float(source["confidence"])


def size_of(count: int) -> str:
    """A number of bytes for people: ``512 B``, ``84 kB``, ``2.3 MB``."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def _images(rows: Rows) -> Sequence[str]:
    row = rows[0]
    return [f"{row['format']} {row['width']} × {row['height']}", _quoted(row["caption"])]


def _proxies(rows: Rows) -> Sequence[str]:
    row = rows[0]
    return [f"pixels {row['pixel_id'][:8]}…", f"{row['width']} × {row['height']}"]


def _detections(rows: Rows) -> Sequence[str]:
    things = sorted({row["label"] for row in rows} - {PERSON_LABEL})
    return [_count(rows, "box", "boxes"), ", ".join(things) or f"best {max(row['score'] for row in rows):.2f}"]


def _permission(rows: Rows) -> Sequence[str]:
    row = rows[0]
    return ["people may be described" if row["allowed"] else "people are not described", row["reason"]]


def _landmarks(rows: Rows) -> Sequence[str]:
    people = [row for row in rows if row["person_score"] >= PERSON]
    return [_count(people, "person", "people"), f"best {max(row['person_score'] for row in rows):.2f}"]


def _features(rows: Rows) -> Sequence[str]:
    seen = [row for row in rows if row["confidence"] is not None]
    return [f"{len(seen)} of {len(rows)} visible"]


def _views(rows: Rows) -> Sequence[str]:
    return [_count(rows, "view", "views")]


def _scores(rows: Rows) -> Sequence[str]:
    best = max(rows, key=lambda row: row["score"])
    return [_count(rows, "raw score", "raw scores"), f"best {best['label']} {best['score']:.2f}"]


def _suggestions(rows: Rows) -> Sequence[str]:
    return [_count(rows, "answer", "answers"), ", ".join(row["tag"] for row in rows)]


def _words(rows: Rows) -> Sequence[str]:
    row = rows[0]
    return [_quoted(row["title"] or row["caption"]), ", ".join(row["keywords"] or ())]


def _count(rows: Rows, one: str, many: str) -> str:
    return f"{len(rows)} {one if len(rows) == 1 else many}"


def _quoted(text: str | None) -> str:
    return f"“{text}”" if text else ""


_FACTS: dict[str, Callable[[Rows], Sequence[str]]] = {
    "images": _images,
    "proxies": _proxies,
    "detections": _detections,
    "person_permissions": _permission,
    "landmarks": _landmarks,
    "body_features": _features,
    "person_embeddings": _views,
    "embeddings": _views,
    "zero_shot_scores": _scores,
    "tagger_scores": _scores,
    "captions": _words,
    "llm_tag_suggestions": _suggestions,
    "decisions": lambda rows: [_count(rows, "verdict", "verdicts")],
    "tags": lambda rows: [_count(rows, "tag", "tags")],
}
