"""What differs between two states of a tag, and what is said about why."""

import pytest

from tagging_assets.domain.changes import (
    Reasons,
    TagChange,
    differs,
    in_place_of_it,
    recipe_differences,
    shown,
    standing,
)

OLD_HASH, NEW_HASH = "1f2e3d4c" * 8, "9a8b7c6d" * 8


def source(name="tagger", **said):
    plain = {"source": name, "model": "m", "revision": "v1", "label": "dog", "subject": "photo", "score": 0.8}
    plain |= {"confidence": 0.7, "weight": 0.9, "threshold": 0.3, "prompt_hash": "", "label_set_hash": ""}
    return {**plain, "recipe": "", "run_id": "run1", **said}


def state(*sources, **said):
    plain = {"category": "animal", "score": 0.63, "status": "auto", "reason": "only tagger says so", "recipe": "old"}
    return {**plain, "sources": list(sources) or [source()], "run_id": "run1", **said}


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({}, {}, []),  # the same
        ({"prompt": OLD_HASH}, {"prompt": NEW_HASH}, ["prompt: 1f2e3d4c… → 9a8b7c6d…"]),  # hashes are cut
        # of a model of several files
        (
            {"model": {"revision": f"{OLD_HASH}+{OLD_HASH}"}},
            {"model": {"revision": f"{OLD_HASH}+{NEW_HASH}"}},
            ["model.revision: 1f2e3d4c…+1f2e3d4c… → 1f2e3d4c…+9a8b7c6d…"],
        ),
        # parts within parts
        (
            {"rules": {"keep_above": 0.4, "max_tags": None}},
            {"rules": {"keep_above": 0.5, "max_tags": 10}},
            ["rules.keep_above: 0.4 → 0.5", "rules.max_tags: none → 10"],
        ),
        ({"banned": ["cat", "dog"]}, {"banned": ["dog", "emu"]}, ["banned: + emu, − cat"]),  # lists
        ({"banned": ["a", "b"]}, {"banned": ["b", "a"]}, ["banned: in another order"]),
        ({"sets": {"a": "1"}}, {"sets": {"b": "2"}}, ["sets.a: gone (1)", "sets.b: new (2)"]),  # parts come and go
        ({"sets": {}}, {"sets": {"b": {"c": 1}}}, ["sets.b: new"]),
        ({"chat": None}, {"chat": {"prompt": "x"}}, ["chat: new"]),  # a model is switched on
        ({"chat": {"prompt": "x"}}, {"chat": None}, ["chat: gone"]),  # and off
        ({"code_version": "1"}, {"code_version": "2"}, ["code_version: 1 → 2"]),
        ({"on": True}, {"on": False}, ["on: true → false"]),
        # lists of mappings
        ({"features": []}, {"features": [{"tag": "slim"}]}, ['features: + {"tag": "slim"}']),
    ],
)
def test_recipes_part_by_part(old, new, lines):
    assert recipe_differences(old, new) == lines


def test_nothing_long_is_shown():
    assert shown("word " * 30) == ("word " * 30)[:59] + "…"


@pytest.mark.parametrize(
    ("new", "different"),
    [
        (state(), False),
        (state(run_id="run2", recipe="new"), False),  # made again, another way: the tag is what it was
        (state(source(run_id="run2", recipe="new")), False),
        (state(source(prompt_hash="p2")), True),  # it rests on another question
        (state(source(score=0.81)), True),
        (state(source(), source("people")), True),
        (state(score=0.64), True),
        (state(status="needs_review"), True),
        (state(reason="another"), True),
        (state(category="object"), True),
    ],
)
def test_what_counts_as_a_change(new, different):
    assert differs(state(), new) is different
    assert differs(new, state()) is different
    assert TagChange("i", "dog", state(), new).change == ("changed" if different else "none")


def test_kinds_of_change():
    assert TagChange("i", "dog", None, state()).change == "published"
    assert TagChange("i", "dog", state(), None).change == "withdrawn"
    assert TagChange("i", "dog", None, None).change == "none"


@pytest.mark.parametrize(
    ("kept", "stands", "instead"),
    [
        (None, False, False),
        ({"score": 1.0, "withdrawn_at": None, "published_at": "t"}, True, False),
        ({"score": 1.0}, True, False),  # from before there was a history
        ({"status": "gone", "withdrawn_at": "t"}, False, True),  # what a run says in its place
        ({"score": 1.0, "withdrawn_at": "t", "published_at": "t"}, False, False),  # put back, withdrawn as it was
    ],
)
def test_kept_states(kept, stands, instead):
    assert (standing(kept) is not None, in_place_of_it(kept) is not None) == (stands, instead)


RECIPES = {
    "old": {"rules": {"keep_above": 0.4}},
    "new": {"rules": {"keep_above": 0.7}},
    "asked1": {"chat": {"prompt": OLD_HASH}, "vocabulary": "a"},
    "asked2": {"chat": {"prompt": NEW_HASH}, "vocabulary": "b"},
}
CHAT1 = source("chat model", prompt_hash=OLD_HASH, recipe="asked1")
CHAT2 = source("chat model", prompt_hash=NEW_HASH, recipe="asked2")
ASKED = ["chat model: prompt 1f2e3d4c… → 9a8b7c6d…", "chat model: vocabulary: a → b"]
PERSON = source("person", model="anna", revision="decision 1")
DROPPED = {"status": "dropped", "reason": "", "recipe": "new"}
ACCEPTED = {"status": "accepted", "reason": "accepted by anna on 2026-11-21"}


@pytest.mark.parametrize(
    ("before", "after", "instead", "lines"),
    [
        # one number after the other
        (state(), state(source(score=0.5)), None, ["tagger: raw 0.80 → 0.50"]),
        (state(), state(source(score=0.5, confidence=0.4)), None, ["tagger: raw 0.80 → 0.50"]),
        (state(), state(source(confidence=0.4)), None, ["tagger: confidence 0.70 → 0.40"]),
        (state(), state(source(weight=0.0)), None, ["tagger: weight 0.90 → 0.00"]),
        (state(), state(source(threshold=0.5)), None, ["tagger: threshold 0.30 → 0.50"]),
        (state(), state(source(revision="v2")), None, ["tagger: model v1 → v2"]),
        (state(), state(source(label_set_hash=NEW_HASH)), None, ["tagger: label set none → 9a8b7c6d…"]),
        # the prompt is named once, whatever else its recipe says
        (
            state(CHAT1),
            state(CHAT2),
            None,
            ["chat model: prompt 1f2e3d4c… → 9a8b7c6d…", "chat model: vocabulary: a → b"],
        ),
        # sources come, go, and are swapped
        (state(), state(source(), CHAT1), None, ["chat model says so too"]),
        (state(source(), CHAT1), state(), None, ["chat model no longer says so"]),
        (state(), state(source(model="n")), None, ["tagger: m → n"]),
        # rules
        (state(), state(score=0.5, recipe="new"), None, ["rules.keep_above: 0.4 → 0.7"]),
        # nothing but the outcome is known
        (state(), state(status="needs_review", reason="doubtful"), None, ["status auto → needs_review", "doubtful"]),
        (state(), state(category="pet"), None, ["category animal → pet"]),
        (state(), state(reason="worded anew"), None, ["worded anew"]),
        # published and withdrawn
        (None, state(), None, ["rests on tagger"]),
        (state(), None, None, ["rested on tagger, which no longer carries it"]),
        (state(), None, DROPPED, ["rested on tagger", "rules.keep_above: 0.4 → 0.7"]),
        (state(), None, {"status": "gone", "reason": "the photo is gone"}, ["the photo is gone"]),
        # people's words go before all else
        (state(), state(source(score=0.1), PERSON, **ACCEPTED), None, ["accepted by anna on 2026-11-21"]),
        (None, state(PERSON, **ACCEPTED), None, ["accepted by anna on 2026-11-21"]),
        (state(), None, {"status": "rejected", "reason": "rejected by anna"}, ["rejected by anna"]),
        (state(PERSON, **ACCEPTED), state(), None, ["taken back: accepted by anna on 2026-11-21"]),
        (state(PERSON, **ACCEPTED), None, {"status": "gone", "reason": "the photo is gone"}, ["the photo is gone"]),
        # a word that holds on both sides explains nothing
        (state(PERSON, **ACCEPTED), state(PERSON, CHAT1, **ACCEPTED), None, ["chat model says so too"]),
        # unless it is said anew
        (state(PERSON, **ACCEPTED), state(PERSON, status="accepted", reason="by bert"), None, ["by bert"]),
    ],
)
def test_why(before, after, instead, lines):
    change = TagChange("i", "dog", before, after, instead)
    assert Reasons([change], RECIPES).of(change) == lines


def test_neighbours_tell_how_the_sources_of_a_lost_tag_are_asked_now():
    lost = TagChange("i", "lamp", state(CHAT1), None, {"status": "dropped", "reason": "", "recipe": "old"})
    kept = TagChange("i", "dog", state(source(), CHAT1), state(source(), CHAT2))
    found = TagChange("i", "boat", None, state(CHAT2))
    reasons = Reasons([lost, kept, found], RECIPES)
    assert reasons.of(lost) == ["rested on chat model", *ASKED]
    assert reasons.of(found) == ["rests on chat model", *ASKED]


def test_where_neighbours_disagree_nothing_is_said():
    lost = TagChange("i", "lamp", state(CHAT1), None, {"status": "dropped", "reason": "", "recipe": "old"})
    others = [TagChange("i", str(n), None, state({**CHAT2, "prompt_hash": str(n), "recipe": str(n)})) for n in (1, 2)]
    assert Reasons([lost, *others], RECIPES).of(lost) == ["rested on chat model, which no longer carries it"]


def test_what_did_not_change_has_no_reason():
    change = TagChange("i", "dog", state(), state(run_id="run2"))
    assert Reasons([change], RECIPES).of(change) == []
