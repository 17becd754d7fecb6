"""``tagging status`` and ``tagging tags``: what there is, and what it says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resources.photo_folder import canonical
from tagging_assets.assets.line import costly
from tagging_assets.commands.console import print_table
from tagging_assets.commands.run import failures
from tagging_assets.commands.session import Session
from tagging_assets.domain.stages import STAGES


def status(session: Session) -> dict[str, Any]:
    """Photos, batches, and per stage what stands, failed and would be computed."""
    tools = session.toolbox
    batches = tools.manifest.batches()
    refs = [ref for batch in batches for ref in tools.manifest.images(batch)]
    stages: dict[str, Counter[str]] = {stage: Counter() for stage in STAGES}
    why: dict[str, Counter[str]] = {stage: Counter() for stage in STAGES}
    for batch in batches:
        reasons = session.line.reasons(batch)
        for stage in STAGES:
            current = tools.bench.store.read(stage, batch).current
            stages[stage]["ok"] += sum(record.ok for record in current)
            stages[stage]["failed"] += sum(not record.ok for record in current)
            stages[stage]["to_compute"] += costly(reasons[stage])
            why[stage].update({str(reason): count for reason, count in reasons[stage].items()})
    live = tools.publisher.tags()
    return {
        "data_dir": str(session.settings.data_dir),
        "database": "embedded" if session.database.embedded else "TAGGING_DATABASE_URL",
        "images": sum(not ref.gone for ref in refs),
        "gone": sum(ref.gone for ref in refs),
        "batches": len(batches),
        "published_tags": len(live),
        "needs_review": sum(row["status"] == "needs_review" for row in live),
        "stages": {stage: {**stages[stage], "why": dict(why[stage])} for stage in STAGES},
        "llm_calls": tools.ledger.outcomes(),
    }


def show_status(told: Mapping[str, Any]) -> None:
    """Tell a person."""
    print_table(
        f"{told['images']} photos in {told['batches']} batches, {told['published_tags']} tags "
        f"({told['needs_review']} to review), {told['gone']} photos gone; {told['data_dir']}",
        ["stage", "ok", "failed", "to compute", "why"],
        [
            (stage, one["ok"], one["failed"], one["to_compute"], _because(one["why"]))
            for stage, one in told["stages"].items()
        ],
    )
    if told["llm_calls"]:
        calls = ", ".join(f"{count} {outcome}" for outcome, count in sorted(told["llm_calls"].items()))
        print_table("chat model", ["calls"], [(calls,)])


def _because(why: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in sorted(why.items()) if reason != "fresh")


def tags(session: Session, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Published tags per photo; every photo is there, with its status."""
    tools = session.toolbox
    roots = [canonical(path) for path in paths]
    refs = (
        tools.manifest.known(roots)
        if roots
        else [ref for batch in tools.manifest.batches() for ref in tools.manifest.images(batch)]
    )
    images = {ref.image_id: ref.uri for ref in refs if not ref.gone}
    failed = failures(session, sorted({ref.batch for ref in refs}), images)
    by_image: dict[str, list[dict[str, Any]]] = {image_id: [] for image_id in images}
    for row in tools.publisher.tags(list(images) if roots else None):
        if row["image_id"] in by_image:
            by_image[row["image_id"]].append(_published(row))
    return [
        {
            "image": uri,
            "image_id": image_id,
            "status": "failed" if uri in failed else "tagged" if by_image[image_id] else "untagged",
            "error": failed.get(uri),
            "tags": by_image[image_id],
        }
        for image_id, uri in sorted(images.items(), key=lambda item: item[1])
    ]


def _published(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tag": row["tag"],
        "category": row["category"],
        "score": round(row["score"], 4),
        "status": row["status"],
        "sources": [
            {name: source[name] for name in ("source", "model", "revision", "score")} for source in row["sources"]
        ],
    }


def show_tags(told: Sequence[Mapping[str, Any]]) -> None:
    """A row per photo."""
    print_table(
        f"{len(told)} photos",
        ["photo", "tags", "sources"],
        [
            (
                Path(one["image"]).name,
                _tags_line(one["tags"]) if one["status"] != "failed" else f"failed: {one['error']}",
                ", ".join(sorted({source["source"] for tag in one["tags"] for source in tag["sources"]})),
            )
            for one in told
        ],
    )


def _tags_line(found: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{tag['tag']} {tag['score']:.2f}{'?' if tag['status'] == 'needs_review' else ''}" for tag in found
    )
