"""What differs between two states of a tag, and why: read off what each state carries about its own making.

A state is a mapping with the columns of ``published_tag`` (category, score, status, reason, sources, recipe …), or
``None`` where the tag did not stand. Nothing is looked up and nothing is guessed: a line says only what the two
states, and the recipes they name, say themselves. What does not belong here: how a score is made (``fusion``).
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

State = Mapping[str, Any]
SourceKey = tuple[str, str]

#: Statuses that are a person's word.
PEOPLES = frozenset({"accepted", "added", "rejected"})

#: Status, in place of a tag's own, of a tag that was withdrawn because its photo is no more.
GONE = "gone"
#: The same of a tag that is decided no longer.
DROPPED = "dropped"

#: Fields of a source that say how it was asked, and what people call them.
_ASKED = {"revision": "model", "prompt_hash": "prompt", "label_set_hash": "label set"}
_PERSON = "person"

_HASH = re.compile(r"[0-9a-f]{12,}")
_SHOWN_HASH = 8
_SHOWN_VALUE = 60


@dataclass(frozen=True, slots=True)
class TagChange:
    """A tag of a photo, before and after.

    Attributes:
        image_id: whose.
        tag: which.
        before: its state; ``None`` where it did not stand.
        after: its state; ``None`` where it does not stand.
        instead: of a withdrawn tag, what was decided in its place: ``status`` (``rejected``, ``gone`` or
            ``dropped``), ``reason``, and ``recipe`` and ``sources`` where there are any.
    """

    image_id: str
    tag: str
    before: State | None
    after: State | None
    instead: State | None = None

    @classmethod
    def of(cls, image_id: str, tag: str, before: State | None, after: State | None) -> "TagChange":
        """From states as the history keeps them, where a state may also say that the tag was withdrawn in it."""
        return cls(image_id, tag, standing(before), standing(after), in_place_of_it(after))

    @property
    def change(self) -> str:
        """``published``, ``changed``, ``withdrawn``, or ``none`` where both states say the same."""
        if self.before is None or self.after is None:
            return "none" if self.before is self.after else "published" if self.before is None else "withdrawn"
        return "changed" if differs(self.before, self.after) else "none"


def standing(state: State | None) -> State | None:
    """A state as it is kept, or ``None`` where the tag was withdrawn in it."""
    return None if state is None or state.get("withdrawn_at") is not None else state


def in_place_of_it(state: State | None) -> State | None:
    """What a kept state says was decided in the place of a tag; ``None`` where it stood, or an undo put it back."""
    return None if state is None or state.get("withdrawn_at") is None or "published_at" in state else state


def differs(old: State, new: State) -> bool:
    """Whether two states of a tag say different things.

    Which run said it, and by which recipe, does not matter where everything else is the same: a rule that leaves a
    tag as it is has not changed the tag.
    """
    if any(old[name] != new[name] for name in ("category", "score", "status", "reason")):
        return True
    if old["sources"] == new["sources"]:
        return False
    return [_said(one) for one in old["sources"]] != [_said(one) for one in new["sources"]]


def _said(source: State) -> dict[str, Any]:
    return {name: value for name, value in source.items() if name not in ("run_id", "recipe")}


def recipe_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two recipes' bodies, a line each.

    ``rules.keep_above: 0.4 → 0.5``, ``prompt: 1f2e3d4c… → 9a8b7c6d…``, ``rules.banned: + dog, − cat``,
    ``label_sets.moods: new``. Hashes are cut to their first eight digits. Empty where they are the same.
    """
    return list(_differences("", old, new))


def _differences(path: str, old: object, new: object) -> Iterable[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys([*old, *new]):
            below = f"{path}.{name}" if path else str(name)
            if name not in old:
                yield f"{below}: new{_told(new[name])}"
            elif name not in new:
                yield f"{below}: gone{_told(old[name])}"
            else:
                yield from _differences(below, old[name], new[name])
    elif _is_list(old) and _is_list(new):
        # What was kept comes back with lists where there were tuples.
        if difference := _list_difference(old, new):
            yield f"{path}: {difference}"
    elif isinstance(old, Mapping) and new is None:
        yield f"{path}: gone"
    elif isinstance(new, Mapping) and old is None:
        yield f"{path}: new"
    else:
        yield f"{path}: {shown(old)} → {shown(new)}"


def _told(value: object) -> str:
    return "" if isinstance(value, Mapping) or _is_list(value) else f" ({shown(value)})"


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _list_difference(old: Any, new: Any) -> str:
    before, after = [shown(item) for item in old], [shown(item) for item in new]
    if before == after:
        return ""
    added = [f"+ {item}" for item in after if item not in before]
    removed = [f"− {item}" for item in before if item not in after]
    return ", ".join([*added, *removed]) or "in another order"


def shown(value: object) -> str:
    """A value of a recipe as people read it: hashes cut, nothing longer than 60 characters."""
    if value is None or value == "":
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    text = _HASH.sub(lambda found: f"{found.group()[:_SHOWN_HASH]}…", text)
    return text if len(text) <= _SHOWN_VALUE else f"{text[: _SHOWN_VALUE - 1]}…"


class Reasons:
    """Tells why tags changed, from all that changed together.

    A tag that went says nothing about how its sources were asked afterwards; its neighbours do.

    Args:
        changes: everything that one run changed, or that differs between two.
        recipes: bodies by hash; those that are not known are passed over.
    """

    def __init__(self, changes: Sequence[TagChange], recipes: Mapping[str, Mapping[str, Any]]) -> None:
        self._recipes = recipes
        self._before = _ways_of_asking(change.before for change in changes)
        self._after = _ways_of_asking(state for change in changes for state in (change.after, change.instead))

    def of(self, change: TagChange) -> list[str]:
        """Lines for people, the most telling first; never empty for a change."""
        before, after = change.before, change.after
        if change.change == "none":
            return []
        if lines := _peoples_word(before, after or change.instead):
            return lines
        if after is None:
            lines = self._of_withdrawn(before or {}, change.instead or {})
        elif before is None:
            lines = [f"rests on {_names(after)}", *self._ways(self._before, after, turned=True)]
        else:
            lines = self._of_changed(before, after)
        return list(dict.fromkeys(lines)) or ["its reason is worded anew"]

    def _of_changed(self, before: State, after: State) -> list[str]:
        lines = [*self._sources(before, after), *self._of_recipes(before, after)]
        for name in ("category", "status"):
            if before[name] != after[name]:
                lines.append(f"{name} {before[name]} → {after[name]}")
        if before["status"] != after["status"] or not lines:
            lines.append(str(after["reason"]))
        return lines

    def _of_withdrawn(self, before: State, instead: State) -> list[str]:
        if instead.get("status") == GONE:
            return [str(instead["reason"])]
        ways = [*self._ways(self._after, before), *self._of_recipes(before, instead)]
        rested = f"rested on {_names(before)}"
        return [rested, *ways] if ways else [f"{rested}, which no longer carries it"]

    def _sources(self, before: State, after: State) -> list[str]:
        old, new = _by_key(before), _by_key(after)
        went, came = [key for key in old if key not in new], [key for key in new if key not in old]
        swapped = {source: (model, other) for source, model in went for name, other in came if name == source}
        lines = [f"{source}: {model} → {other}" for source, (model, other) in swapped.items()]
        lines += [f"{_said_by(key)} says so too" for key in came if key[0] not in swapped]
        lines += [f"{_said_by(key)} no longer says so" for key in went if key[0] not in swapped]
        for key in (key for key in old if key in new):
            lines += [f"{key[0]}: {line}" for line in (*self._asked(old[key], new[key]), *_worth(old[key], new[key]))]
        return lines

    def _ways(self, others: Mapping[SourceKey, State], state: State, *, turned: bool = False) -> list[str]:
        """How the sources of a state were asked, against how they are asked in the other states."""
        lines = []
        for key, source in _by_key(state).items():
            other = others.get(key)
            if other is not None:
                pair = (other, source) if turned else (source, other)
                lines += [f"{key[0]}: {line}" for line in self._asked(*pair)]
        return lines

    def _asked(self, old: State, new: State) -> list[str]:
        lines = [
            f"{name} {shown(old[field])} → {shown(new[field])}"
            for field, name in _ASKED.items()
            if field in old and field in new and old[field] != new[field]
        ]
        said = {line.partition(" ")[2].rpartition("set ")[2] for line in lines}
        # The recipe names the same hashes again.
        return [*lines, *(line for line in self._of_recipes(old, new) if line.partition(": ")[2] not in said)]

    def _of_recipes(self, old: State, new: State) -> list[str]:
        first, second = self._recipes.get(old.get("recipe", "")), self._recipes.get(new.get("recipe", ""))
        return recipe_differences(first, second) if first is not None and second is not None else []


def _ways_of_asking(states: Iterable[State | None]) -> dict[SourceKey, State]:
    """Per source and model, how it was asked, as far as all states agree."""
    ways: defaultdict[SourceKey, dict[str, set[Any]]] = defaultdict(lambda: defaultdict(set))
    for state in states:
        for key, source in _by_key(state or {}).items():
            for field in (*_ASKED, "recipe"):
                ways[key][field].add(source[field])
    return {
        key: {field: next(iter(values)) for field, values in fields.items() if len(values) == 1}
        for key, fields in ways.items()
    }


def _peoples_word(before: State | None, after: State | None) -> list[str]:
    """What people had to do with it, where that changed; it goes before whatever machines say."""
    old, new = _verdict(before), _verdict(after)
    if after is not None and new is not None and (old is None or _word(old) != _word(new)):
        return [str(new["reason"])]
    if old is not None and new is None and (after is None or after.get("status") != GONE):
        return [f"taken back: {old['reason']}"]
    return []


def _verdict(state: State | None) -> State | None:
    return state if state is not None and state.get("status") in PEOPLES else None


def _word(state: State) -> tuple[str, str]:
    return (state["status"], state["reason"])


def _worth(old: State, new: State) -> list[str]:
    lines = [
        f"{name} {old[field]:.2f} → {new[field]:.2f}"
        for field, name in {"score": "raw", "threshold": "threshold", "weight": "weight"}.items()
        if old[field] != new[field]
    ]
    # With another raw score another confidence goes without saying.
    if old["score"] == new["score"] and old["confidence"] != new["confidence"]:
        lines.append(f"confidence {old['confidence']:.2f} → {new['confidence']:.2f}")
    return lines


def _by_key(state: State) -> dict[SourceKey, State]:
    return {(one["source"], one["model"]): one for one in state.get("sources", ())}


def _names(state: State) -> str:
    names = [_said_by(key) for key in _by_key(state)]
    return " and ".join(dict.fromkeys(names)) or "no source"


def _said_by(key: SourceKey) -> str:
    source, model = key
    return model if source == _PERSON else source
