"""``tagging explain IMAGE``: the chain from photo to decision, for every tag."""

from itertools import zip_longest
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from tagging_assets.commands.console import stdout
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.fusion import explain_tag
from tagging_assets.domain.identity import ImageRef
from tagging_assets.domain.stages import STAGES

_SHORT = 12


def find_image(session: Session, name: str) -> ImageRef:
    """The one photo that a path, a file name or the beginning of an id means.

    Raises:
        SettingsError: none, or several.
    """
    found = session.toolbox.manifest.find(name)
    if len(found) == 1:
        return found[0]
    if not found:
        raise SettingsError(f'no photo "{name}"; give its path or the first digits of its image_id')
    names = ", ".join(f"{ref.uri} ({ref.image_id[:8]})" for ref in found[:5])
    raise SettingsError(f'"{name}" may mean {len(found)} photos: {names}')


def explanation(session: Session, ref: ImageRef) -> dict[str, Any]:
    """Everything that led from the photo to its tags."""
    store = session.toolbox.bench.store
    frames = {stage: store.read(stage, ref.batch) for stage in STAGES}
    records = {stage: frame.get(ref.image_id) for stage, frame in frames.items()}
    bodies = session.database.recipes({record.recipe for record in records.values() if record})
    decided = records["tags"]
    return {
        "image": ref.uri,
        "image_id": ref.image_id,
        "content_hash": ref.content_hash,
        "pixel_id": ref.pixel_id,
        "batch": ref.batch,
        "gone_at": ref.gone_at,
        "chain": [
            {
                "stage": stage,
                "status": record.status,
                "error": record.error,
                "rows": len(record.rows),
                "recipe": record.recipe,
                "recipe_body": bodies.get(record.recipe),
                "inputs": record.inputs,
                "output": record.output,
                "run_id": record.run_id,
                "computed_at": record.computed_at,
                "seconds": round(record.seconds, 4),
            }
            for stage, record in records.items()
            if record is not None
        ],
        "tags": [
            {name: value for name, value in row.items() if name != "image_id"}
            for row in (decided.rows if decided else ())
        ],
        "caption": _first(records["images"], "caption"),
        "suggestions": [row["tag"] for row in _rows(records["llm_tag_suggestions"])],
    }


def _rows(record: Any) -> tuple[Any, ...]:
    return record.rows if record else ()


def _first(record: Any, column: str) -> Any:
    rows = _rows(record)
    return rows[0][column] if rows else None


def show(told: dict[str, Any]) -> None:
    """Draw the chain as a tree."""
    photo = Tree(f"[bold]{escape(told['image'])}[/bold]  {told['image_id']}")
    photo.add(f"bytes {told['content_hash'][:_SHORT]}…  pixels {(told['pixel_id'] or 'not decoded')[:_SHORT]}…")
    if told["caption"]:
        photo.add(f"caption: {escape(told['caption'])}")
    runs = {link["stage"]: link for link in told["chain"]}
    tags = photo.add(f"{len(told['tags'])} tags")
    for tag in told["tags"]:
        branch = tags.add(
            f"[bold]{escape(tag['tag'])}[/bold] {tag['score']:.2f} {tag['status']}: {escape(tag['reason'])}"
        )
        # One line per source, then, where there are several, how they add up.
        for line, source in zip_longest(explain_tag(tag), tag["sources"]):
            leaf = branch.add(escape(line))
            if source is not None:
                leaf.add(escape(_provenance(source)))
    chain = photo.add("made by")
    for link in runs.values():
        state = f"{link['rows']} rows" if link["status"] == "ok" else f"[red]failed[/red] {escape(link['error'])}"
        node = chain.add(
            f"{link['stage']}: {state}, recipe {link['recipe'][:_SHORT]}…, run {link['run_id'][:8]}, "
            f"{link['computed_at']:%Y-%m-%d %H:%M:%S}"
        )
        for name, value in (link["recipe_body"] or {}).items():
            if name not in ("stage", "rules"):
                node.add(f"[dim]{escape(f'{name}: {value}')}[/dim]")
    # Wrapped, not cut: rich crops the lines of a tree that may not wrap.
    stdout.print(photo)


def _provenance(source: dict[str, Any]) -> str:
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
