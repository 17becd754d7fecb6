"""What JSON of each form is taken for; nothing outside the list, and nothing that the policy refuses, comes out."""

import pytest

from tagging_assets.domain.policy import refused_sentence
from tagging_assets.domain.prompts import MODE_VARIABLES
from tagging_assets.domain.reply_forms import CaptionForm, ClassifyForm, JudgeForm, TagsForm

ALLOWED = ("car", "bus", "cat", "cathedral", "red panda", "dog")
TAGS = TagsForm(ALLOWED, 3)


@pytest.mark.parametrize(
    ("said", "tags", "outside"),
    [
        ({"tags": ["cat", "dog"]}, ("cat", "dog"), ()),  # as asked for
        (["cat"], ("cat",), ()),  # a bare list
        ({"tags": ["CAT", " red_panda "]}, ("cat", "red panda"), ()),  # case and spacing are forgiven
        ({"tags": ["cat", "cat", "Cat"]}, ("cat",), ()),  # once each
        ({"tags": ["cow", "cat", 7, None, "cow"]}, ("cat",), ("cow",)),  # what is not allowed is told apart
        ({"tags": ["car", "bus", "cat", "dog"]}, ("car", "bus", "cat"), ()),  # no more than asked for
        ({"tags": ["cathedral"], "why": "x"}, ("cathedral",), ()),  # and not its beginning; more keys do no harm
    ],
)
def test_tags_are_those_of_the_list(said: object, tags: tuple[str, ...], outside: tuple[str, ...]) -> None:
    answer = TAGS.read(said)
    assert answer is not None
    assert (answer.outcome, answer.tags, answer.outside, answer.error) == ("ok", tags, outside, "")


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"tags": []}, "empty"),  # nothing fits: an answer too
        ({"tags": ["cow"]}, "invalid"),  # nothing of it is allowed
        ({"tags": [7]}, "invalid"),  # nor is a number
        ({"tags": "cat"}, None),  # a string is no list
        ({"error": "no cat"}, None),  # other JSON
        ("cat", None),
        (None, None),
    ],
)
def test_anything_else_is_no_tag(said: object, outcome: str | None) -> None:
    answer = TAGS.read(said)
    assert (answer.outcome if answer else None) == outcome
    assert answer is None or answer.tags == ()
    assert answer is None or "\n" not in answer.error


def test_the_schema_admits_only_allowed_tags_and_no_more_than_there_are() -> None:
    schema = TagsForm(("cat", "dog"), 5).schema
    assert schema["properties"]["tags"]["items"]["enum"] == ["cat", "dog"]
    assert schema["properties"]["tags"]["maxItems"] == 2
    assert schema["additionalProperties"] is False


def test_nothing_can_be_asked_about_nothing() -> None:
    with pytest.raises(ValueError, match="no tag is allowed"):
        TagsForm((), 5)


@pytest.mark.parametrize("form", [TAGS, CaptionForm(), ClassifyForm(5), JudgeForm()], ids=lambda form: form.name)
def test_schemas_are_strict(form: TagsForm | CaptionForm | ClassifyForm | JudgeForm) -> None:
    assert form.schema["required"] == list(form.schema["properties"])
    assert form.schema["additionalProperties"] is False
    assert form.output_tokens > 0
    assert form.name.isidentifier()


@pytest.mark.parametrize(
    ("said", "caption", "error"),
    [
        ("A cat  on\na mat.", "A cat on a mat.", ""),  # on one line
        ("A man waits. He is Jewish man.", "A man waits.", "left out by policy: religion"),
        ("A black man walks his dog.", "", "left out by policy: ethnicity"),  # nothing is left
        ("A Persian cat naps. A racing car.", "A Persian cat naps. A racing car.", ""),  # things are not people
        ("x" * 900, "x" * 400, ""),  # no more than a caption's length
    ],
)
def test_a_caption_passes_the_policy(said: str, caption: str, error: str) -> None:
    answer = CaptionForm().read({"caption": said})
    assert answer is not None
    assert (answer.outcome, answer.fields.get("caption", ""), answer.error) == (
        "ok" if caption else "empty",
        caption,
        error,
    )


@pytest.mark.parametrize("said", [{"title": "x"}, {"caption": ["x"]}, "x", ["x"], None])
def test_what_is_no_caption_is_not_taken_for_one(said: object) -> None:
    assert CaptionForm().read(said) is None


def test_a_record_has_words_keywords_and_a_name() -> None:
    said = {
        "title": "Harbour at dawn",
        "description": "Boats lie still. A pregnant woman waits.",
        "keywords": ["Boats", "boats", "muslim woman", " harbour. ", 7, "x" * 99],
        "file_name": "harbour-at-dawn.jpg",
    }
    answer = ClassifyForm(5).read(said)
    assert answer is not None
    assert answer.outcome == "ok"
    assert answer.tags == ("boats", "harbour")
    assert answer.fields == {
        "title": "Harbour at dawn",
        "description": "Boats lie still.",
        "file_name": "harbour-at-dawn",
    }
    assert answer.error == "left out by policy: health, religion"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("../../etc/passwd", "passwd"),  # no path
        ("C:\\Windows\\win.ini", "win"),  # of any system
        ("a cat & a dog.JPEG", "a-cat-a-dog"),  # no ending, nothing that a shell would take for its own
        ("CON", ""),  # a device on Windows
        ("nul.tar", ""),
        ("...", ""),  # nothing is left
        ("grün_猫", "grün_猫"),  # letters stay letters
        ("x" * 200, "x" * 80),  # not too long
        ("v1.2-final", "v1.2-final"),  # what looks like no ending stays
        ("gay-couple-at-lake", ""),  # the policy holds for names too
    ],
)
def test_a_file_name_is_safe(said: str, name: str) -> None:
    answer = ClassifyForm(5).read({"title": "x", "file_name": said})
    assert answer is not None
    assert answer.fields.get("file_name", "") == name


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"title": "", "keywords": []}, "empty"),  # nothing to say
        ({"title": "…", "description": " . ", "keywords": ["…", "-"], "file_name": "…"}, "empty"),  # a form's own dots
        ({"keywords": ["muslim woman"]}, "empty"),  # nothing that may be said
        ({"keywords": ["cat"]}, "ok"),  # keywords alone
        ({"tags": ["cat"]}, None),  # another form
        ([], None),
    ],
)
def test_half_a_record_is_one(said: object, outcome: str | None) -> None:
    answer = ClassifyForm(5).read(said)
    assert (answer.outcome if answer else None) == outcome


@pytest.mark.parametrize(
    ("said", "winner"),
    [
        ({"winner": "a", "why": "it names the boat"}, "a"),
        ({"winner": " B ", "why": ""}, "b"),  # case and blanks are forgiven
        ({"winner": "tie"}, "tie"),  # a reason may be missing
        ({"winner": "c", "why": "x"}, None),  # there is no c
        ({"why": "a"}, None),  # a reason is no verdict
        (["a"], None),
        ("a", None),
    ],
)
def test_a_verdict_has_a_winner(said: object, winner: str | None) -> None:
    answer = JudgeForm().read(said)
    assert (answer.fields["winner"] if answer else None) == winner


@pytest.mark.parametrize(
    ("sentence", "category"),
    [
        ("A white man reads.", "ethnicity"),  # he goes on to do something
        ("A black cat walks past a man.", None),  # the colour is the cat's
        ("The woman, who is blind, reads.", "health"),
        ("A gay couple kisses.", "sexual orientation"),
        ("A man of 1.85 m stands there.", "exact height"),
        ("A Catholic church in the snow.", None),
    ],
)
def test_the_policy_on_sentences(sentence: str, category: str | None) -> None:
    assert refused_sentence(sentence) == category


def test_every_mode_has_a_form() -> None:
    assert set(MODE_VARIABLES) == {"select", "see", "merge", "caption", "classify", "judge"}
