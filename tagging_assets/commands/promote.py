"""``tagging experiment promote``: make a contestant the production recipe in the settings file, or take that back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resources import settings_file
from resources.promotions import Promotion, Said
from resources.settings_file import UNSAID, Edit, Place
from resources.toolbox import Toolbox
from tagging_assets.commands import retag
from tagging_assets.commands.console import print_line, print_note, styled
from tagging_assets.commands.session import Session
from tagging_assets.domain.chat_settings import Chat
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.experiments import Configuration
from tagging_assets.settings import load_settings

_SECTION = "llm"


@dataclass(frozen=True)
class Promoted:
    """What came of it.

    Attributes:
        state: ``promoted``, ``taken back``, ``in use already``, or ``dry run``.
        what: experiment and contestant, for people.
        path: the settings file.
        diff: of the settings file.
        plan: what ``tagging retag`` would do then (see ``commands.retag.told``).
        kept: settings that were changed since by somebody else, in words; they stay.
    """

    state: str
    what: str
    path: Path
    diff: str
    plan: Mapping[str, Any] = field(default_factory=dict)
    kept: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        names = ("state", "what", "diff", "plan", "kept")
        return {**{name: getattr(self, name) for name in names}, "settings": str(self.path)}


def promote(session: Session, name: str, label: str, *, who: str, why: str = "", dry_run: bool = False) -> Promoted:
    """Make a contestant the production recipe; photos are tagged anew by ``tagging retag``.

    Raises:
        SettingsError: no such experiment or contestant, or the settings file cannot be written.
    """
    tools, path = session.toolbox, session.settings_path.resolve()
    configuration = tools.experiments.get(name).configuration(label)
    llm = configuration.on(session.settings.llm).model_copy(update={"enabled": True})
    changes = _changes(configuration, session.settings.llm)
    what = f"{label} of experiment {name}"
    if not changes:
        return Promoted("in use already", what, path, "")
    edit = settings_file.edit(path, changes)
    if not dry_run:
        told = settings_file.said(path, list(changes))
        before = Said({_key(place): value for place, value in told.items() if value is not UNSAID}, edit.before)
        after = Said({_key(place): value for place, value in changes.items()}, edit.after)
        now = datetime.now(UTC)
        made = tools.promotions.record((name, label), path, before, after, by=(who, why), now=now)
        _write(session, edit, made)
    return Promoted("dry run" if dry_run else "promoted", what, path, edit.diff, _plan(session, llm))


def back(session: Session, *, dry_run: bool = False) -> Promoted:
    """Restore what the last promotion replaced, as far as the settings file still says what that wrote.

    Raises:
        SettingsError: nothing was promoted, or the settings file cannot be written.
    """
    path = session.settings_path.resolve()
    last = session.toolbox.promotions.latest(path)
    if last is None:
        raise SettingsError(f"nothing was promoted in {path}, or all of it was taken back")
    edit, kept = _way_back(path, last)
    if not dry_run:
        if edit.before != edit.after:
            edit.write()
        session.toolbox.promotions.take_back(last.promotion_id, datetime.now(UTC))
    what = f"{last.configuration} of experiment {last.experiment}"
    # What the file will mean can only be told once it is written: files that it extends have a say too.
    plan = {} if dry_run else _plan(session, load_settings(path).llm)
    return Promoted("dry run" if dry_run else "taken back", what, path, edit.diff, plan, kept)


def _changes(configuration: Configuration, llm: Chat) -> dict[Place, Any]:
    """Settings that differ from those in force, in the words of the file."""
    wanted = _flat({"enabled": True, **configuration.as_llm()})
    there = _flat(llm.model_dump(mode="json"))
    return {(_SECTION, *place): value for place, value in wanted.items() if there.get(place) != value}


def _flat(section: Mapping[str, Any]) -> dict[Place, Any]:
    flat: dict[Place, Any] = {}
    for name, value in section.items():
        if isinstance(value, Mapping):
            flat.update({(name, *place): one for place, one in _flat(value).items()})
        else:
            flat[(name,)] = value
    return flat


def _write(session: Session, edit: Edit, promotion_id: int) -> None:
    try:
        edit.write()
    except SettingsError:
        session.toolbox.promotions.take_back(promotion_id, datetime.now(UTC))
        raise


def _way_back(path: Path, last: Promotion) -> tuple[Edit, tuple[str, ...]]:
    """What the file would say again, and which settings stay since somebody changed them."""
    now = settings_file.edit(path, {})
    if now.before == last.after.text:
        return replace(now, after=last.before.text), ()
    told = settings_file.said(path, [_place(key) for key in last.after.said])
    changes: dict[Place, Any] = {}
    kept = []
    for key, written in last.after.said.items():
        found = told[_place(key)]
        if found == written:
            changes[_place(key)] = last.before.said.get(key, UNSAID)
        else:
            says = "says nothing of it" if found is UNSAID else f"says {found!r}"
            kept.append(f"{key} was promoted to {written!r}, and the file {says}")
    return settings_file.edit(path, changes), tuple(kept)


def _key(place: Place) -> str:
    return ".".join(place[1:])


def _place(key: str) -> Place:
    return (_SECTION, *key.split("."))


def _plan(session: Session, llm: Chat) -> dict[str, Any]:
    """What a retag would do with another section ``llm``; reads only."""
    settings = session.settings.model_copy(update={"llm": llm})
    other = replace(session, settings=settings, toolbox=Toolbox(settings, session.database))
    try:
        return retag.told(other, retag.look(other, retag.Wanted()))
    finally:
        other.toolbox.close()


def show(done: Promoted) -> None:
    """Tell a person."""
    for line in done.diff.splitlines():
        colour = "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"
        print_line(styled(line, colour))
    for one in done.kept:
        print_note(styled("stays", "yellow"), f" llm.{one}")
    print_note(_VERDICTS[done.state].format(what=done.what, path=done.path))
    if done.plan:
        print_note("`tagging retag` would then do this:")
        retag.show(done.plan)


_VERDICTS = {
    "promoted": "{what} is the production recipe from now on. The way back: tagging experiment promote --back",
    "taken back": "{path} says what it said before {what} was promoted.",
    "in use already": "{what} is the production recipe already; nothing was written.",
    "dry run": "Nothing was written to {path}.",
}
