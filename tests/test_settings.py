"""Settings say where they are wrong, and the files that are shipped are right."""

from pathlib import Path

import pytest

from tagging_assets.domain.errors import PolicyError, SettingsError
from tagging_assets.settings import DEFAULT_SETTINGS, Settings, load_settings

PROJECT = DEFAULT_SETTINGS.parent


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _none_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAGGING_SETTINGS", raising=False)


def test_every_command_takes_the_file_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGGING_SETTINGS", str(write(tmp_path / "tagging.yaml", "data_dir: here\n")))
    assert load_settings().data_dir == tmp_path / "here"
    assert load_settings(write(tmp_path / "named.yaml", "data_dir: there\n")).data_dir == tmp_path / "there"


def test_the_shipped_settings_load() -> None:
    shipped = load_settings()
    assert shipped.data_dir == PROJECT / ".tagging"
    assert [source.path for source in shipped.sources] == [PROJECT / "inbox"]
    assert (shipped.people.enabled, shipped.privacy) == (False, "local")
    assert shipped.prompts_dir == PROJECT / "prompts"


def test_the_demo_builds_on_them() -> None:
    demo, shipped = load_settings(PROJECT / "demo" / "tagging.yaml"), load_settings()
    assert demo.people.enabled
    assert demo.data_dir == PROJECT / ".demo" / "data"
    assert demo.rules == shipped.rules


def test_what_is_shipped_is_what_an_empty_file_means(tmp_path: Path) -> None:
    empty = load_settings(write(tmp_path / "tagging.yaml", ""))
    # Where photos lie and what the operator decides about tags is said by the file.
    same = {"data_dir": True, "sources": True, "rules": True, "llm": {"providers"}}
    assert empty.model_dump(exclude=same) == load_settings().model_dump(exclude=same)


def test_mappings_merge_and_everything_else_is_replaced(tmp_path: Path) -> None:
    write(
        tmp_path / "base.yaml",
        "label_sets: [objects, scenes]\nllm: {enabled: false, max_tags: 3}\nrules: {banned: [cat]}\n",
    )
    top = write(
        tmp_path / "top.yaml", "extends: base.yaml\nlabel_sets: [setting]\nllm: {max_tags: 4}\nrules: {banned: [dog]}\n"
    )
    settings = load_settings(top)
    assert settings.label_sets == ("setting",)
    assert (settings.llm.enabled, settings.llm.max_tags) == (False, 4)
    assert settings.rules.banned == ("dog",)


@pytest.mark.parametrize(
    ("llm", "complaint"),
    [
        ("{base_url: http://127.0.0.1:1/v1}", "llm.base_url: no such setting; name the server under llm.providers"),
        ("{temperature: 1}", "llm.temperature: no such setting; write it under llm.sampling"),
        ("{sampling: {max_tokens: 9}}", "llm.sampling.max_tokens: no such setting; write llm.sampling.max_output"),
        ("{providers: {far: {base_url: x, api_key: sk-1}}}", "llm.providers.far.api_key: .*api_key_env names the"),
        ("{providers: {far: {base_url: x, api_key_env: sk-1}}}", "llm.providers.far: api_key_env: write the name"),
        ("{stratgy: quick}", "llm.stratgy: no such setting; remove it"),
    ],
)
def test_what_the_chat_section_does_not_know_is_told_without_its_value(
    tmp_path: Path, llm: str, complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint) as caught:
        load_settings(write(tmp_path / "tagging.yaml", f"llm: {llm}\n"))
    assert "sk-1" not in str(caught.value)


def test_paths_count_from_the_file_that_says_them(tmp_path: Path) -> None:
    write(tmp_path / "base/base.yaml", "data_dir: here\nprompts_dir: words\nsources: [{path: photos}]\n")
    settings = load_settings(
        write(tmp_path / "sub/deep/top.yaml", "extends: ../../base/base.yaml\ndata_dir: ../there\n")
    )
    assert settings.data_dir == tmp_path / "sub/there"
    assert settings.prompts_dir == tmp_path / "base/words"
    assert [source.path for source in settings.sources] == [tmp_path / "base/photos"]


def test_absolute_paths_and_home_stay(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path / "a.yaml", "data_dir: /srv/tags\nsources: [{path: ~/photos}]\n"))
    assert settings.data_dir == Path("/srv/tags")
    assert settings.sources[0].path == Path.home() / "photos"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("dta_dir: x", "dta_dir"),  # a word that is no setting
        ("images: {batch_sise: 10}", "images.batch_sise"),  # nor in a section
        ("images: {batch_size: many}", "images.batch_size"),  # a word for a number
        ("images: {batch_size: 0}", "images.batch_size"),  # out of range
        ("images: 7", "images"),  # a number for a section
        ("llm: {concurrency: 1000}", "llm.concurrency"),
        ("models: [yolo]", "models"),
        ("rules: {keep_above: 2}", "rules.keep_above"),
        ("- a\n- b", "must be a mapping"),  # a list
        ("just words", "must be a mapping"),
        ("a: [", "is not YAML"),
        ("extends: nowhere.yaml", "nowhere.yaml: cannot be read (No such file"),
    ],
)
def test_one_line_says_what_is_wrong_and_where(tmp_path: Path, text: str, complaint: str) -> None:
    path = write(tmp_path / "tagging.yaml", text)
    with pytest.raises(SettingsError) as error:
        load_settings(path)
    said = str(error.value)
    assert complaint in said
    assert str(tmp_path) in said
    assert "\n" not in said


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "tagging.yaml"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(SettingsError, match="is not YAML"):
        load_settings(path)


@pytest.mark.parametrize("loop", [("a.yaml",), ("b.yaml", "a.yaml")])
def test_a_file_must_not_extend_itself(tmp_path: Path, loop: tuple[str, ...]) -> None:
    for name, base in zip(("a.yaml", *loop), loop, strict=False):
        write(tmp_path / name, f"extends: {base}\n")
    with pytest.raises(SettingsError, match="extends itself"):
        load_settings(tmp_path / "a.yaml")


def test_settings_cannot_be_changed_in_passing() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().data_dir = Path("/elsewhere")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rules: {forced: [nude]}", "rules.forced"),
        ("rules: {forced: [чёрная женщина]}", "rules.forced"),
        ("rules: {aliases: {cat: blackwoman}}", "rules.aliases.cat"),
        ("rules: {features: [{feature: hair_colour, equals: black, tag: asian}]}", "rules.features"),
        ("rules: {max_per_category: {muslim: 3}}", "rules.max_per_category"),
        ("rules: {forced: [boy]}", "people.enabled"),
        ("rules: {aliases: {person: woman}}", "people.enabled"),
    ],
)
def test_rules_against_the_policy_are_refused_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        load_settings(write(tmp_path / "tagging.yaml", f"{text}\n"))
    assert "\n" not in str(refusal.value)
    assert named in str(refusal.value)


@pytest.mark.parametrize("text", ["rules: {aliases: {dame: woman}}", "people: {enabled: true}\nrules: {forced: [boy]}"])
def test_rules_about_people_that_do_no_harm_stand(tmp_path: Path, text: str) -> None:
    assert load_settings(write(tmp_path / "tagging.yaml", f"{text}\n"))
