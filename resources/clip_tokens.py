"""Texts to tokens for CLIP's relatives: cleaning, and the tokenizer of OpenAI's CLIP as a ``tokenizer.json``.

CLIP's byte-pair encoding (Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
ICML 2021) is built here for the library ``tokenizers`` from the merges that open_clip carries, when a model is
exported; SigLIP and others bring a ``tokenizer.json`` of their own. Either way texts are cleaned first, as open_clip
does, in :func:`clean_text`.
"""

import gzip
import html
import importlib.util
import string
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resources.model_notes import TextTower
from tagging_assets.domain.errors import WeightsCorrupt, WeightsMissing

Tokens = NDArray[np.int64]
Merge = tuple[str, str]

START, END = "<start_of_text>", "<end_of_text>"

_END_OF_WORD = "</w>"
_SPLIT = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
#: Of the 262,146 lines of the file, the first merges that make up the vocabulary of 49,408.
_MERGES = 49152 - 256 - 2
_VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
#: What ftfy straightens in any text: typographic quotes, ligatures, and control characters, which go.
_STRAIGHT = {
    **dict.fromkeys((0x02BC, *range(0x2018, 0x201C)), "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
    **{ord(one): unicodedata.normalize("NFKC", one) for one in "ĲĳǱǲǳǄǅǆǇǈǉǊǋǌﬀﬁﬂﬃﬄﬅﬆ"},
    ord("ŉ"): "'n",
    **dict.fromkeys((0x2028, 0x2029), "\n"),
    # Bytes of Windows-1252 that were taken for Latin-1, where they mean nothing.
    **{
        code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
    },
    **dict.fromkeys(
        (*range(9), 0x0B, *range(0x0E, 0x20), 0x7F, *range(0x206A, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFD)), None
    ),
    # Letters of full or half width; the ideographic space is one of them.
    **{code: unicodedata.normalize("NFKC", chr(code)) for code in (0x3000, *range(0xFF01, 0xFFF0))},
}


class TextReader:
    """Turns texts into tokens, as open_clip's tokenizers do.

    Args:
        path: a ``tokenizer.json``.
        tower: what the texts are for.

    Raises:
        WeightsCorrupt: the file is no tokenizer.
    """

    def __init__(self, path: Path, tower: TextTower) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:
            # The library raises nothing more particular.
            raise WeightsCorrupt(f"{path} is no tokenizer: {error}; remove its folder and export it again") from error
        self._tower = tower
        # The last token, which says that the text ends, stays when a long text is cut.
        self._tokenizer.enable_truncation(tower.context)
        self._tokenizer.no_padding()

    def tokens(self, text: str, *, padded: bool = True) -> Tokens:
        """Tokens of one text, int64.

        Args:
            text: any.
            padded: (context,), filled up after the text; as many as there are otherwise.
        """
        ids = self._tokenizer.encode(clean_text(text, self._tower)).ids
        if padded:
            ids += [self._tower.pad] * (self._tower.context - len(ids))
        return np.array(ids, dtype=np.int64)


def clean_text(text: str, tower: TextTower) -> str:
    """A text as the tokenizer is to see it.

    The same as open_clip's ``lower`` and ``canonicalize`` but for one of ftfy's repairs: text that was decoded by the
    wrong table ("cafÃ©") stays as it is.

    Args:
        text: any.
        tower: whether it is lower-cased, and keeps its punctuation.
    """
    text = html.unescape(html.unescape(_straightened(text)))
    if not tower.punctuation:
        text = text.replace("_", " ").translate(_NO_PUNCTUATION)
    text = " ".join(text.split())
    return text.lower() if tower.lower else text


def _straightened(text: str) -> str:
    # Halves of a character beyond U+FFFF, as JSON and JavaScript write them, become the character.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    # A text that has "<" in it may be HTML, whose entities mean something; ftfy leaves those alone, too.
    unescaped = text if "<" in text else html.unescape(text)
    return unicodedata.normalize("NFC", unescaped.translate(_STRAIGHT))


def clip_tokenizer(merges: Sequence[Merge] | None = None) -> Any:
    """The tokenizer of OpenAI's CLIP, and of the open_clip models that share it, as a ``tokenizers.Tokenizer``.

    Args:
        merges: pairs that are joined, the first ones first; those of the installed open_clip if ``None``.

    Raises:
        WeightsMissing: open_clip is not installed.
    """
    from tokenizers import AddedToken, Regex, Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Split
    from tokenizers.pre_tokenizers import Sequence as InTurn
    from tokenizers.processors import TemplateProcessing

    merges = list(open_clip_merges()) if merges is None else merges
    letters = _byte_letters()
    words = [*letters, *(letter + _END_OF_WORD for letter in letters), *("".join(pair) for pair in merges), START, END]
    vocabulary = {word: place for place, word in enumerate(words)}
    tokenizer = Tokenizer(BPE(vocabulary, list(merges), end_of_word_suffix=_END_OF_WORD))
    tokenizer.add_special_tokens([AddedToken(one, special=True, normalized=False) for one in (START, END)])
    tokenizer.pre_tokenizer = InTurn(
        [Split(Regex(_SPLIT), behavior="removed", invert=True), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.post_processor = TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, vocabulary[START]), (END, vocabulary[END])]
    )
    return tokenizer


def write_tokenizer(tokenizer: Any, path: Path) -> None:
    """Write the ``tokenizer.json`` of a tokenizer of open_clip: CLIP's own, or one that is wrapped around another's.

    Args:
        tokenizer: as ``open_clip.get_tokenizer`` gives it.
        path: the file.
    """
    wrapped = getattr(getattr(tokenizer, "tokenizer", None), "backend_tokenizer", None)
    written = clip_tokenizer(list(tokenizer.bpe_ranks)) if wrapped is None else wrapped
    path.write_text(written.to_str(), encoding="utf-8")


def open_clip_merges() -> Iterator[Merge]:
    """The merges of the installed open_clip; nothing of it is imported.

    Raises:
        WeightsMissing: it is not installed.
    """
    found = importlib.util.find_spec("open_clip")
    folders = (found.submodule_search_locations or []) if found else []
    for folder in folders:
        with gzip.open(Path(folder) / _VOCABULARY, "rt", encoding="utf-8") as lines:
            next(lines)
            for _ in range(_MERGES):
                left, right = next(lines).split()
                yield left, right
        return
    raise WeightsMissing("CLIP's vocabulary comes with open_clip: pip install 'tagging-assets[export]'")


def _byte_letters() -> list[str]:
    """A printable letter for each byte, in the order of CLIP's vocabulary: first those that are printable as such."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = len(set(range(256)) - set(printable))
    return [chr(code) for code in (*printable, *range(256, 256 + others))]
