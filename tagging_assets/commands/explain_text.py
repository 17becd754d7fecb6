"""The answer of ``tagging explain`` as a tree for a terminal."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from tagging_assets.commands.console import stdout
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
    photo = Tree(f"[bold]{escape(told['image'])}[/bold]  {told['image_id']}  [cyan]{when}[/cyan]")
    content = f"{told['content_hash'][:_SHORT]}…" if told["content_hash"] else "unknown"
    photo.add(f"bytes {content}  pixels {(told['pixel_id'] or 'not decoded')[:_SHORT]}…")
    if told["caption"]:
        photo.add(f"caption: {escape(told['caption'])}")
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
            people.add(f"{escape(one['tag'])}: {_sentence(one)}")
    _add_chain(photo.add("made by"), told["chain"])
    # Wrapped, not cut: rich crops the lines of a tree that may not wrap.
    stdout.print(photo)


def _add_tag(tags: Tree, tag: Mapping[str, Any], decisions: Sequence[Mapping[str, Any]]) -> None:
    style = "bold strike" if tag["status"] == REJECTED else "bold"
    branch = tags.add(f"[{style}]{escape(tag['tag'])}[/] {tag['score']:.2f} {tag['status']}: {escape(tag['reason'])}")
    # One line per source, then, where there are several, how they add up.
    for line, source in zip_longest(explain_tag(tag), tag["sources"]):
        leaf = branch.add(escape(line or ""))
        if source is not None and source["source"] != PERSON_SOURCE:
            leaf.add(escape(provenance(source)))
    for one in decisions:
        # A reason often is the verdict already.
        if one["tag"] == tag["tag"] and _sentence(one) != escape(tag["reason"]):
            branch.add(f"[blue]{_sentence(one)}[/blue]")
    _add_history(branch, tag.get("history", ()))


def _add_missing(photo: Tree, asked: Mapping[str, Any]) -> None:
    branch = photo.add(f"[bold]{escape(asked['tag'])}[/bold] is not a tag: {escape(asked['reason'])}")
    for source in asked["scores"]:
        leaf = branch.add(escape(score_line(source)))
        leaf.add(escape(provenance(source)))
    _add_history(branch, asked["history"])


def _add_history(branch: Tree, events: Sequence[Mapping[str, Any]]) -> None:
    if not events:
        return
    history = branch.add("history, newest first")
    for event in reversed(events):
        history.add(escape(event_line(event)))


def _add_chain(chain: Tree, links: Sequence[Mapping[str, Any]]) -> None:
    for link in links:
        state = {"ok": f"{link['rows']} rows", "lost": "[yellow]no longer kept[/yellow]"}.get(
            link["status"], f"[red]failed[/red] {escape(link['error'] or '')}"
        )
        if link["status"] == "ok" and link["state"] in _COLOURS:
            state += f" [{_COLOURS[link['state']]}]({link['state']})[/]"
        when = f", {link['computed_at']:%Y-%m-%d %H:%M:%S}" if link["computed_at"] else ""
        node = chain.add(f"{link['stage']}: {state}, recipe {link['recipe'][:_SHORT]}…, run {link['run_id'][:8]}{when}")
        for name, value in (link["recipe_body"] or {}).items():
            if name not in _LONG:
                node.add(f"[dim]{escape(f'{name}: {_part(value)}')}[/dim]")


def _part(value: object) -> str:
    """A part of a recipe, hashes cut short; ``--json`` has all of it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_part(one)}" if name != "name" else str(one) for name, one in value.items() if one)
    return shown(value)


def _sentence(row: Mapping[str, Any]) -> str:
    return escape(StandingVerdict.from_row(row).sentence)


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
