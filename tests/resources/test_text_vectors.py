"""Text vectors are made once, whoever asks again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from resources.text_vectors import KeptVectors
from tagging_assets.domain.models import ModelCard, Vectors


class Letters:
    """A text's vector is its length and first letter."""

    def __init__(self, revision: str = "1") -> None:
        self.card = ModelCard("letters", revision, "letters/1")
        self.provider = "not loaded"
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.encoded += texts
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32).reshape(-1, 2)


def test_each_text_is_encoded_once(tmp_path: Path) -> None:
    encoder = Letters()
    kept = KeptVectors(encoder, tmp_path)
    first = kept.encode(["cat", "dog", "cat"])
    assert first.tolist() == [[3, 99], [3, 100], [3, 99]]
    np.testing.assert_array_equal(kept.encode(["dog", "boat"])[0], first[1])
    assert encoder.encoded == ["cat", "dog", "boat"]


def test_another_process_encodes_what_is_new_and_loses_nothing(tmp_path: Path) -> None:
    one, two, three = Letters(), Letters(), Letters()
    here, there = KeptVectors(one, tmp_path), KeptVectors(two, tmp_path)
    here.encode(["cat"])
    there.encode(["cat", "dog"])
    here.encode(["boat"])
    KeptVectors(three, tmp_path).encode(["cat", "dog", "boat"])
    assert (one.encoded, two.encoded, three.encoded) == (["cat", "boat"], ["dog"], [])


def test_another_revision_has_vectors_of_its_own(tmp_path: Path) -> None:
    KeptVectors(Letters(), tmp_path).encode(["cat"])
    other = Letters("2")
    KeptVectors(other, tmp_path).encode(["cat"])
    assert other.encoded == ["cat"]


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    KeptVectors(Letters(), tmp_path).encode(["cat"])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:40])
    again = Letters()
    assert KeptVectors(again, tmp_path).encode(["cat"]).tolist() == [[3, 99]]
    assert again.encoded == ["cat"]


def test_no_texts_no_vectors(tmp_path: Path) -> None:
    assert KeptVectors(Letters(), tmp_path).encode([]).shape == (0, 2)
    assert list(tmp_path.iterdir()) == []
