"""``tagging status`` and ``tagging tags``: what there is, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resources.at_work import AtWork, look
from resources.chat_budget import ChatBudget, Limit
from resources.photo_folder import canonical
from resources.ran_on import RanOn
from resources.states import StageSum
from tagging_assets.assets.line import StaleSum, summed
from tagging_assets.commands.console import print_line, print_table, styled
from tagging_assets.commands.run import failures
from tagging_assets.commands.session import Session
from tagging_assets.domain.stages import STAGES


def status(session: Session) -> dict[str, Any]:
    """Photos, batches, and per stage what stands, failed and would be computed; told from sums, not from rows."""
    tools, line, now = session.toolbox, session.line, datetime.now(UTC)
    batches = tools.manifest.batch_sums()
    held = tools.states.sums()
    stale_batches = line.stale_batches(now=now)
    stale = {one.stage: one for one in summed(line.stale(stale_batches, now=now))}
    tags = tools.publisher.counts()
    ran_on = tools.ran_on.told()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "data_dir": str(session.settings.data_dir),
        "database": "embedded" if session.database.embedded else "TAGGING_DATABASE_URL",
        "images": sum(batch.images for batch in batches),
        "gone": sum(batch.gone for batch in batches),
        "batches": len(batches),
        "stale_batches": len(stale_batches),
        "published_tags": sum(tags.values()),
        "needs_review": tags.get("needs_review", 0),
        "stages": {
            stage: {**_stage_status(held.get(stage), stale.get(stage)), "ran_on": _ran_on(ran_on.get(stage, ()))}
            for stage in STAGES
        },
        "at_work": _at_work(look(session.database.engine)),
        "llm_calls": tools.ledger.outcomes(),
        # With what is reserved, as the budget counts.
        "llm_usd_today": float(ChatBudget(session.database.engine).spent(Limit.daily(0))),
        "llm_unpriced_today": tools.ledger.unpriced(midnight),
        "llm_budget_usd": session.settings.llm.budget_usd,
    }


def _at_work(seen: AtWork) -> dict[str, Any]:
    return {
        "commands": seen.commands,
        "places": [asdict(place) for place in seen.places],
        "died": sorted(seen.left_behind),
    }


def _ran_on(runs: Sequence[RanOn]) -> list[dict[str, Any]]:
    return [
        {"provider": one.provider, "fell_back": one.fell_back, "host": one.host, "at": one.at.isoformat()}
        for one in runs
    ]


def _stage_status(held: StageSum | None, stale: StaleSum | None) -> dict[str, Any]:
    return {
        "ok": held.ok if held else 0,
        "failed": held.failed if held else 0,
        "to_compute": stale.certain if stale else 0,
        "at_most": stale.at_most if stale else 0,
        "why": {str(why): count for why, count in stale.why.items()} if stale else {},
    }


def show_status(told: Mapping[str, Any]) -> None:
    """Tell a person."""
    print_table(
        f"{told['images']} photos in {told['batches']} batches ({told['stale_batches']} stale), "
        f"{told['published_tags']} tags ({told['needs_review']} to review), {told['gone']} photos gone; "
        f"{told['data_dir']}",
        ["stage", "ok", "failed", "to compute", "at most", "why", "ran on"],
        [
            (stage, one["ok"], one["failed"], one["to_compute"], one["at_most"], _because(one["why"]), _where(one))
            for stage, one in told["stages"].items()
        ],
    )
    for said in _slower(told["stages"]):
        print_line(styled("slower than wanted", "yellow"), f" {said}")
    for command in told["at_work"]["commands"]:
        print_line(f"at work: {command}")
    for place in told["at_work"]["places"]:
        if place["alive"]:
            what = f"run {place['run_id'][:8]} has a place in the pool {place['pool']} for {place['step']}"
            print_line(f"{what} of {place['batch'] or 'no batch'}")
    if died := told["at_work"]["died"]:
        runs = ", ".join(run_id[:8] for run_id in died)
        print_line(
            styled("died with their process", "yellow"), f": runs {runs}; the next `tagging run` frees what they hold"
        )
    if told["llm_calls"]:
        calls = ", ".join(f"{count} {outcome}" for outcome, count in sorted(told["llm_calls"].items()))
        print_table("chat model", ["calls", "today (UTC)"], [(calls, _money(told))])


def _money(told: Mapping[str, Any]) -> str:
    budget, unpriced = told["llm_budget_usd"], told["llm_unpriced_today"]
    spent = f"${told['llm_usd_today']:.4f}" + ("" if budget is None else f" of ${budget:g}")
    return f"{spent}; {unpriced} at a price that nobody knows" if unpriced else spent


def _slower(stages: Mapping[str, Any]) -> list[str]:
    """What fell back to a slower provider, a line for each reason and machine."""
    found: dict[tuple[str, str], list[str]] = {}
    for stage, one in stages.items():
        for run in one["ran_on"]:
            if run["fell_back"]:
                found.setdefault((run["provider"], run["host"]), []).append(stage)
    return [
        f"{', '.join(names)} on {host}: {provider}; see `tagging doctor`" for (provider, host), names in found.items()
    ]


def _where(one: Mapping[str, Any]) -> str:
    """Providers by the short names that people know."""
    names = dict.fromkeys(run["provider"].partition(" ")[0] for run in one["ran_on"])
    return ", ".join(name.removesuffix("ExecutionProvider") for name in names)


def _because(why: Mapping[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in sorted(why.items()))


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
