"""Label sets as files: the ones that come with the project, and broken ones."""

from pathlib import Path

import pytest

from resources.label_store import DEFAULT_FOLDER, choose_label_sets, load_label_set, load_label_sets
from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.domain.policy import refused

GOOD = """
name: pets
category: object
topics: [objects]
threshold: 0.5
labels:
  - {name: cat, synonyms: [kitten]}
  - name: dog
"""

SAME = """
# a comment
labels:
- name:   "cat"
  synonyms:
  - kitten
- {name: dog}
threshold: 0.50
topics:
- objects
category: object
name: 'pets'
"""


def write(folder: Path, text: str, name: str = "pets.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_layout_and_comments_do_not_change_the_hash(tmp_path: Path) -> None:
    one, two = load_label_set(write(tmp_path, GOOD)), load_label_set(write(tmp_path, SAME, "same.yaml"))
    assert one == two
    assert one.hash == two.hash
    other = load_label_set(write(tmp_path, GOOD.replace("0.5", "0.6"), "other.yaml"))
    assert other.hash != one.hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: [", "line 1"),  # no YAML; the parser says where
        ("name: pets\nname: cats\n", 'line 2: key "name" is there twice; keep one'),
        ("name: pets\nlabels:\n  - {name: cat, name: dog}\n", "line 3: key"),
        ("1: pets\n", "key 1 must be text"),
        ("a: &x [*x]\n", ""),  # an anchor that holds itself
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("", "a label set is a mapping"),
        ("- cat\n", "a label set is a mapping"),
        ("a: 1\n---\nb: 2\n", "document"),
        (GOOD.replace("cat,", "yes,"), "labels[0].name"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_label_set(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_label_set(tmp_path / "none.yaml")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_label_set(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: café".encode("latin-1"))
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_label_set(tmp_path / "latin.yaml")


def test_policy_is_applied_at_load(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("kitten", "caucasian woman"))
    with pytest.raises(PolicyError, match='"caucasian woman" is ethnicity'):
        load_label_set(path)


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no label sets"):
        load_label_sets(tmp_path)
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("pets", "animals"), "zoo.yaml")
    (tmp_path / "notes.txt").write_text("not a label set", encoding="utf-8")
    assert list(load_label_sets(tmp_path)) == ["animals", "pets"]
    write(tmp_path, GOOD, "again.yaml")
    with pytest.raises(SettingsError, match="already used"):
        load_label_sets(tmp_path)


def test_choice_keeps_the_order_asked_for(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("pets", "animals"), "zoo.yaml")
    assert [one.name for one in choose_label_sets(tmp_path, ["pets", "animals"])] == ["pets", "animals"]
    with pytest.raises(SettingsError, match="there are: animals, pets"):
        choose_label_sets(tmp_path, ["plants"])


def test_the_projects_own_sets() -> None:
    sets = load_label_sets(DEFAULT_FOLDER)
    assert set(sets) == {"objects", "scenes", "setting", "accessories", "hair_colour", "body_build", "style"}
    assert {name for name, one in sets.items() if one.scope == "person"} == {
        *("accessories", "hair_colour", "body_build", "style")
    }
    assert {name for name, one in sets.items() if one.exclusive} == {"scenes", "setting", "hair_colour", "body_build"}
    # what an ImageNet classifier is asked for, and what it is not
    blind = {name for name, one in sets.items() if one.blind_spots(("objects", "scenes"))}
    assert blind == {"hair_colour", "body_build", "style"}


def test_objects_hold_the_names_of_coco() -> None:
    objects = load_label_sets()["objects"]
    assert objects.names[0] == "person"
    assert [label.name for label in objects.person_labels] == ["person"]
    coco = ["bicycle", "traffic light", "tv", "cell phone", "potted plant", "dining table", "hair drier", "toothbrush"]
    assert set(coco) < set(objects.names)
    assert objects.names.index("toothbrush") == 79
    assert not [name for name in objects.names if refused(name)]
