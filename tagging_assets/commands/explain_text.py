"""The answer of ``tagging explain`` as a tree for a terminal."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from tagging_assets.commands.console import Branch, Piece, styled
from tagging_assets.domain.changes import shown
from tagging_assets.domain.fusion import explain_tag
from tagging_assets.domain.lineage_facts import event_line, score_line
from tagging_assets.domain.tag_decision import REJECTED
from tagging_assets.domain.verdicts import PERSON_SOURCE, StandingVerdict

_SHORT = 12
#: Parts of recipes that take a page; ``--json`` and ``--html`` have them.
_LONG = ("stage", "rules", "sources")
_COLOURS = {"failed": "red", "stale": "yellow", "superseded": "yellow", "lost": "yellow"}


def show(told: Mapping[str, Any]) -> None:
    """Draw the chain as a tree.

    Args:
        told: as ``explain`` gives it.
    """
    at = told["at"]
    when = "now" if at is None else f"as it was on {at.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    photo = Branch(styled(told["image"], "bold"), f"  {told['image_id']}  ", styled(when, "cyan"))
    content = f"{told['content_hash'][:_SHORT]}…" if told["content_hash"] else "unknown"
    photo.add(f"bytes {content}  pixels {(told['pixel_id'] or 'not decoded')[:_SHORT]}…")
    if told["caption"]:
        photo.add(f"caption: {told['caption']}")
    if told["asked"] is not None:
        _add_missing(photo, told["asked"])
    else:
        tags = photo.add(f"{sum(tag['status'] != REJECTED for tag in told['tags'])} tags")
        for tag in told["tags"]:
            _add_tag(tags, tag, told["decisions"])
    said = [one for one in told["decisions"] if one["tag"] not in {tag["tag"] for tag in told["tags"]}]
    if said:
        people = photo.add("people say besides")
        for one in said:
            people.add(f"{one['tag']}: {_sentence(one)}")
    _add_chain(photo.add("made by"), told["chain"])
    photo.print()


def _add_tag(tags: Branch, tag: Mapping[str, Any], decisions: Sequence[Mapping[str, Any]]) -> None:
    style = "bold strike" if tag["status"] == REJECTED else "bold"
    branch = tags.add(styled(tag["tag"], style), f" {tag['score']:.2f} {tag['status']}: {tag['reason']}")
    # One line per source, then, where there are several, how they add up.
    for line, source in zip_longest(explain_tag(tag), tag["sources"]):
        leaf = branch.add(line or "")
        if source is not None and source["source"] != PERSON_SOURCE:
            leaf.add(provenance(source))
    for one in decisions:
        # A reason often is the verdict already.
        if one["tag"] == tag["tag"] and _sentence(one) != tag["reason"]:
            branch.add(styled(_sentence(one), "blue"))
    _add_history(branch, tag.get("history", ()))


def _add_missing(photo: Branch, asked: Mapping[str, Any]) -> None:
    branch = photo.add(styled(asked["tag"], "bold"), f" is not a tag: {asked['reason']}")
    for source in asked["scores"]:
        leaf = branch.add(score_line(source))
        leaf.add(provenance(source))
    _add_history(branch, asked["history"])


def _add_history(branch: Branch, events: Sequence[Mapping[str, Any]]) -> None:
    if not events:
        return
    history = branch.add("history, newest first")
    for event in reversed(events):
        history.add(event_line(event))


def _add_chain(chain: Branch, links: Sequence[Mapping[str, Any]]) -> None:
    for link in links:
        when = f", {link['computed_at']:%Y-%m-%d %H:%M:%S}" if link["computed_at"] else ""
        node = chain.add(
            f"{link['stage']}: ",
            *_state(link),
            f", recipe {link['recipe'][:_SHORT]}…, run {link['run_id'][:8]}{when}",
        )
        for name, value in (link["recipe_body"] or {}).items():
            if name not in _LONG:
                node.add(styled(f"{name}: {_part(value)}", "dim"))


def _state(link: Mapping[str, Any]) -> list[Piece]:
    """What there is of a stage, and whether it is as it would be now."""
    if link["status"] == "lost":
        return [styled("no longer kept", "yellow")]
    if link["status"] != "ok":
        return [styled("failed", "red"), f" {link['error'] or ''}"]
    rows = f"{link['rows']} rows"
    if link["state"] not in _COLOURS:
        return [rows]
    return [f"{rows} ", styled(f"({link['state']})", _COLOURS[link["state"]])]


def _part(value: object) -> str:
    """A part of a recipe, hashes cut short; ``--json`` has all of it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_part(one)}" if name != "name" else str(one) for name, one in value.items() if one)
    return shown(value)


def _sentence(row: Mapping[str, Any]) -> str:
    return StandingVerdict.from_row(row).sentence


def provenance(source: Mapping[str, Any]) -> str:
    """Which model, label set, prompt, request, run and recipe a source's word comes from, hashes cut short."""
    said = [f"revision {source['revision'][:_SHORT]}…"]
    if source["label_set"]:
        said.append(f"label set {source['label_set']} {source['label_set_hash'][:_SHORT]}…")
    if source["prompt_id"]:
        said.append(f"prompt {source['prompt_id']} {source['prompt_hash'][:_SHORT]}")
    if source["request_hash"]:
        said.append(f"request {source['request_hash'][:_SHORT]}…")
    if source["run_id"]:
        said.append(f"run {source['run_id'][:8]}")
    if source["recipe"]:
        said.append(f"recipe {source['recipe'][:_SHORT]}…")
    return ", ".join(said)
