"""``tagging history`` and ``tagging diff``: what happened to published tags, and why."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from resources.history import hashes
from tagging_assets.commands.console import print_line, print_table
from tagging_assets.commands.explain import find_image
from tagging_assets.commands.session import Session
from tagging_assets.domain.changes import Reasons, State, TagChange

_SHORT = 8
#: Reasons in the summary of a diff.
_REASONS = 8


def operations(session: Session, limit: int) -> list[dict[str, Any]]:
    """What was set going, newest first (see ``History.operations``)."""
    return session.toolbox.history.operations(limit)


def show_operations(told: Sequence[Mapping[str, Any]]) -> None:
    """A row per operation."""
    print_table(
        f"{len(told)} operations, newest first; tagging diff --run ID shows what one changed",
        ["id", "when", "what", "who", "why", "published", "changed", "withdrawn", "photos", "runs"],
        [
            (
                one["id"][:_SHORT],
                _when(one["at"]),
                _what(one),
                one["who"],
                one["why"],
                *(one[name] for name in ("published", "changed", "withdrawn", "photos")),
                len([run for run in one["runs"] if run != one["id"]]),
            )
            for one in told
        ],
    )


def _what(one: Mapping[str, Any]) -> str:
    kind = f"undo of {one['undoes'][:_SHORT]}" if one["undoes"] else one["kind"]
    return f"{kind}, undone by {one['undone_by'][:_SHORT]}" if one["undone_by"] else kind


def events(session: Session, image: str, tag: str | None, limit: int) -> dict[str, Any]:
    """What happened to the published tags of one photo.

    Returns:
        ``image``, ``image_id`` and ``events``: the last ``limit``, oldest first, each as in ``History.events`` and
        with ``because``: lines that say why.

    Raises:
        SettingsError: no photo is meant, or several.
    """
    ref = find_image(session, image)
    found = session.toolbox.history.events(ref.image_id)
    because = _because(session, found)
    told = [
        {**{name: value for name, value in one.items() if name not in ("image_id", "batch")}, "because": lines}
        for one, lines in zip(found, because, strict=True)
        if tag is None or one["tag"] == tag
    ]
    return {"image": ref.uri, "image_id": ref.image_id, "events": told[-limit:]}


def _because(session: Session, found: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Lines for each event; what changed together tells together how sources were asked."""
    changes = [TagChange(one["image_id"], one["tag"], one["before"], one["after"], one["instead"]) for one in found]
    recipes = session.database.recipes(hashes(changes))
    together: defaultdict[datetime, list[TagChange]] = defaultdict(list)
    for one, change in zip(found, changes, strict=True):
        together[one["at"]].append(change)
    reasons = {at: Reasons(ones, recipes) for at, ones in together.items()}
    return [
        [f"undone by {one['who']}", *filter(None, [one["why"]])]
        if one["kind"] == "undo"
        else reasons[one["at"]].of(change)
        for one, change in zip(found, changes, strict=True)
    ]


def show_events(told: Mapping[str, Any]) -> None:
    """A row per change."""
    print_table(
        f"{told['image']}: {len(told['events'])} changes, oldest first",
        ["when", "tag", "change", "before → after", "why", "operation"],
        [
            (
                _when(one["at"]),
                one["tag"],
                one["change"],
                _turn(one["before"], one["after"]),
                "; ".join(one["because"]),
                one["operation"][:_SHORT],
            )
            for one in told["events"]
        ],
    )


def diff(session: Session, first: str, second: str | None) -> dict[str, Any]:
    """What one run changed, or how the tags after one differ from the tags after another.

    Args:
        session: open.
        first: first digits of an operation or run.
        second: of the other; tags are compared as they stood when each was through, on all photos either touched.

    Returns:
        ``run`` and ``against`` (full ids), ``photos`` and the counts by kind of change, ``reasons`` (how many changes
        each line explains, most first), and ``changes`` by photo and tag with ``before``, ``after`` and ``why``.

    Raises:
        SettingsError: no run is meant, or several.
    """
    history = session.toolbox.history
    a, b = history.resolve(first), None if second is None else history.resolve(second)
    found = history.changes(a) if b is None else history.between(a, b)
    reasons = Reasons(found, session.database.recipes(hashes(found)))
    changed = [one for one in found if one.change != "none"]
    uris = history.uris({one.image_id for one in changed})
    told = sorted((_told(one, uris, reasons.of(one)) for one in changed), key=lambda one: (one["image"], one["tag"]))
    counts = Counter(one["change"] for one in told)
    lines = Counter(line for one in told for line in one["why"])
    return {
        "run": a,
        "against": b,
        "photos": len(uris),
        **{name: counts[name] for name in ("published", "changed", "withdrawn")},
        "reasons": dict(lines.most_common()),
        "changes": told,
    }


def _told(one: TagChange, uris: Mapping[str, str], why: Sequence[str]) -> dict[str, Any]:
    return {
        "image": uris.get(one.image_id, one.image_id),
        "image_id": one.image_id,
        "tag": one.tag,
        "change": one.change,
        "before": one.before,
        "after": one.after,
        "why": list(why),
    }


def show_diff(told: Mapping[str, Any], limit: int) -> None:
    """The counts, the commonest reasons, then a row per tag."""
    changes = told["changes"]
    if not changes:
        print_line("No published tag is different.")
        return
    between = f"{told['run'][:_SHORT]} → {told['against'][:_SHORT]}" if told["against"] else told["run"][:_SHORT]
    counts = ", ".join(f"{told[name]} {name}" for name in ("published", "changed", "withdrawn"))
    print_line(f"{between}: {counts} tags on {told['photos']} photos")
    reasons = list(told["reasons"].items())
    more = f"; {len(reasons) - _REASONS} more with --json" if len(reasons) > _REASONS else ""
    print_table(f"why{more}", ["tags", "reason"], [(count, line) for line, count in reasons[:_REASONS]])
    show_changes(changes[:limit], len(changes))


def show_changes(changes: Sequence[Mapping[str, Any]], total: int) -> None:
    """A row per tag: photo, tag, before → after, and why where that is told."""
    why = any(one.get("why") for one in changes)
    rows = []
    last = None
    for one in changes:
        name = "" if one["image_id"] == last else Path(one["image"]).name
        last = one["image_id"]
        row = (name, one["tag"], _turn(one["before"], one["after"]))
        rows.append((*row, "; ".join(one["why"])) if why else row)
    title = f"{total} tags" if len(changes) == total else f"{len(changes)} of {total} tags; all with --json"
    print_table(title, ["photo", "tag", "before → after", *(["why"] if why else [])], rows)


def _turn(before: State | None, after: State | None) -> str:
    return f"{_state(before)} → {_state(after)}"


def _state(state: State | None) -> str:
    if state is None:
        return "–"
    return f"{state['score']:.2f}" + ("" if state["status"] == "auto" else f" {state['status']}")


def _when(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
