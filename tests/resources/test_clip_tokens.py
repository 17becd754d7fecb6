import json
import random
from pathlib import Path

import numpy as np
import pytest

from resources.clip_tokens import TextReader, clean_text, clip_tokenizer, write_tokenizer
from resources.model_notes import TextTower
from tests.clip_files import MERGES

CLIP = TextTower(context=77, logit_scale=100.0, activation="softmax")
SIGLIP = CLIP.model_copy(update={"punctuation": False})

NASTY = [
    "a photo of a cat",
    "",
    "   ",
    "A PHOTO\tOF\n a  Cat!!",
    "it's 'REal' we'll they've I'd I'm don't",  # contractions are words of their own
    "naïve café",
    "e\u0301 combining",
    "ﬁne ﬂour ŉ ǆ",  # ligatures
    "“quoted” ‘single’ — dash…",
    "100% 3.14 2026 ½ ² Ⅳ ①",  # a digit is a token
    "日本語のテキスト أهلا नमस्ते",
    "emoji 😀👩‍👩‍👧 \U0001f1e9\U0001f1ea",
    "\ud83d\ude00",  # half characters, as JSON has them
    "&amp;lt;b&amp;gt; &lt;br&gt; tom &amp; jerry",
    "<b>bold &amp; x</b>",
    "word " * 100,  # longer than the context: the end stays
    "word " * 75,
    "x" * 400,
    "a_b_c-d/e ..'s ''s 's",
    "Ａｂｃ　ｄ a\u00a0b\u2003c",  # full width, odd spaces
    "İstanbul ΣΑΣ straße ſ 'ſ K",
    "zero\u200bwidth \ufeffbom \x00\x07bell",
    "<start_of_text> hi <end_of_text> there",
    "<END_OF_TEXT> x",
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TextReader:
    """Knows the colours as words, and letters."""
    path = tmp_path_factory.mktemp("tokens") / "tokenizer.json"
    path.write_text(clip_tokenizer(MERGES).to_str(), encoding="utf-8")
    return TextReader(path, CLIP.model_copy(update={"context": 6, "pad": 7}))


@pytest.mark.parametrize(
    ("text", "lower", "canonical"),
    [
        ("  A   Photo\n of\ta CAT ", "a photo of a cat", "a photo of a cat"),
        ("rock&amp;roll, it's", "rock&roll, it's", "rockroll its"),
        ("snake_case (x)", "snake_case (x)", "snake case x"),
        ("“curly” ﬁ Ａ…", '"curly" fi a…', "curly fi a…"),
        ("a\x00b\ufeffc", "abc", "abc"),
    ],
)
def test_texts_are_cleaned_as_the_models_were_taught(text: str, lower: str, canonical: str) -> None:
    assert clean_text(text, CLIP) == lower
    assert clean_text(text, SIGLIP) == canonical


def test_case_stays_where_the_library_leaves_it() -> None:
    assert clean_text(" A  Cat", CLIP.model_copy(update={"lower": False})) == "A Cat"


def test_tokens_begin_end_and_are_filled_up(tiny: TextReader) -> None:
    red, start, end = 512 + 1, 512 + 8, 512 + 9
    assert tiny.tokens("Red").tolist() == [start, red, end, 7, 7, 7]
    assert tiny.tokens("red", padded=False).tolist() == [start, red, end]
    assert tiny.tokens("red").dtype == np.int64
    # a long text is cut, its end is not
    assert tiny.tokens("red " * 9).tolist() == [start, red, red, red, red, end]


def test_the_file_reads_the_same_on_its_own(tiny: TextReader, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(clip_tokenizer(MERGES).to_str(), encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8"))["model"]["type"] == "BPE"


def test_tokens_are_open_clips(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    theirs = pytest.importorskip("open_clip").get_tokenizer("ViT-B-32")
    write_tokenizer(theirs, tmp_path / "tokenizer.json")
    ours = TextReader(tmp_path / "tokenizer.json", CLIP)
    rng = random.Random(0)
    # letters that every version of Unicode has; what is not one yet, one table of them splits and the other does not
    letters = [chr(code) for code in (*range(32, 127), *range(0x391, 0x3A2), *range(0x400, 0x450))]
    letters += list("’“”…—•™漢字かな😀　 ")
    strange = ["".join(rng.choices(letters, k=rng.randint(1, 12))) for _ in range(500)]
    for text in (*NASTY, *strange):
        assert ours.tokens(text).tolist() == theirs([text])[0].tolist(), repr(text)


def test_cleaning_is_open_clips() -> None:
    pytest.importorskip("torch")
    clean = pytest.importorskip("open_clip.tokenizer").get_clean_fn
    for text in NASTY:
        assert clean_text(text, CLIP) == clean("lower")(text)
        assert clean_text(text, SIGLIP) == clean("canonicalize")(text)
