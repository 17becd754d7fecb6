"""``tagging undo RUN``: published tags as they were before a run."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tagging_assets.commands.console import print_note
from tagging_assets.commands.history import show_changes
from tagging_assets.commands.session import Session
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.permissions import Permission, is_forbidden

_SHORT = 8

#: Rows of a table that a person still reads.
_SHOWN = 100

#: Why tags stay as they are, by count and reason.
_STAY = {
    "changed_since": "changed since by something else, left as is",
    "decided": "decided by a person, left as is",
    "gone": "of photos that are gone, left as is",
}


def undo(session: Session, name: str, *, who: str, why: str, dry_run: bool = False) -> dict[str, Any]:
    """Put published tags back to what they were before an operation or run (see ``Publisher.undo``).

    Args:
        session: open.
        name: first digits of an operation or run.
        who: undoes it.
        why: in their words.
        dry_run: find out what would go back, and change nothing.

    Returns:
        ``target`` and ``operation`` (the undo's own id; ``None`` where nothing was left, or on trial), the counts
        ``restored``, ``photos``, ``held``, ``changed_since``, ``decided`` and ``gone``, ``batches``, and ``changes``:
        the first thousand tags with ``before`` and ``after``.

    Raises:
        SettingsError: no run is meant, or several, or what is meant are people's decisions.
    """
    history, store = session.toolbox.history, session.toolbox.bench.store
    target = history.resolve(name)
    opened = history.operation(target)
    if opened is not None and opened["kind"] == "decide":
        raise SettingsError(
            f"{target[:_SHORT]} is a decision by {opened['who']}; take it back with tagging decide IMAGE --withdraw TAG"
        )
    done = session.toolbox.publisher.undo(
        target,
        decided=lambda batch: [record for record in store.read("tags", batch).current if record.ok],
        who=who,
        why=why,
        now=datetime.now(UTC),
        dry_run=dry_run,
        forbidden=partial(_forbidden, session),
    )
    uris = history.uris({one.image_id for one in done.changes})
    return {
        "target": done.target,
        "operation": done.operation or None,
        "dry_run": dry_run,
        "restored": done.way.restored,
        "photos": done.way.photos,
        "held": done.held,
        **{name: getattr(done.way, name) for name in _STAY},
        "batches": list(done.batches),
        "changes": [
            {
                "image": uris.get(one.image_id, one.image_id),
                "image_id": one.image_id,
                "tag": one.tag,
                "before": one.before,
                "after": one.after,
            }
            for one in done.changes
        ],
    }


def _forbidden(session: Session, batch: str) -> Callable[[str, str, str], bool]:
    """What must not come back to a batch: what describes people where that is not allowed, as known now."""
    tools = session.toolbox
    tables = {name: tools.bench.store.read(name, batch) for name in ("person_permissions", "tags")}

    def judge(image_id: str, tag: str, category: str) -> bool:
        rows = [
            row for table in tables.values() if (record := table.get(image_id)) and record.ok for row in record.rows
        ]
        allowed = tools.people_allowed and all(row.get("allowed", True) for row in rows)
        suspected = any(row.get("minor_suspected") for row in rows)
        return is_forbidden(tag, category, Permission(allowed and not suspected, "", suspected))

    return judge


def show_undo(told: Mapping[str, Any]) -> None:
    """What goes back, what stays, and how to take the undo back."""
    target = told["target"][:_SHORT]
    if told["restored"]:
        show_changes(told["changes"][:_SHOWN], told["restored"])
    for name, reason in _STAY.items():
        if told[name]:
            _say(f"{_count(told[name], 'tag')} {reason}.")
    if not told["restored"]:
        _say(f"Nothing is left to undo of {target}.")
        return
    done = "would go back" if told["dry_run"] else "put back"
    _say(f"{_count(told['restored'], 'tag')} on {_count(told['photos'], 'photo')} {done} to before {target}.")
    if told["held"]:
        _say(f"What was undone is held on {_count(told['held'], 'photo')} until the tags are decided otherwise.")
    if not told["dry_run"]:
        _say(f"tagging undo {told['operation'][:_SHORT]} takes this back.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _say(line: str) -> None:
    print_note(line)
