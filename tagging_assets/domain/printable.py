r"""Words of others made safe to show, once for each outlet: names of files, tags, captions, errors, people's reasons.

Whoever may name a file may put letters into it that move the cursor of a terminal, open a link, turn the reading
direction round, are not seen at all, or are a command to a spreadsheet. Here such letters are written out as
``\x1b`` or ``\u202e``, so that people see what is there and nothing acts on it. What is stored stays as it is;
programs get it unchanged, as JSON.

What does not belong here: printing (``tagging_assets/commands/console.py``), pages (``page.py``).
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from html import escape

# Categories of Unicode of which nothing is seen: control, format (bidi marks, zero-width), surrogates, line ends.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Letters and marks that fonts show as nothing, and variation selectors but for those of emoji.
_UNSEEN_LETTERS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufffe\uffff"
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
#: Letters that are safe in every outlet but Markdown and spreadsheets, so that most text is passed on as it is.
_HARMLESS = re.compile(r"[ -~\u00a0-\u00ac\u00ae-\u02ff]*")

# Emphasis, code, links, HTML, tables anywhere; lists at the start; addresses that become links by themselves.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#!|~&@]|^\s*[-+=]|(?<=^\d)[.)]|:(?=//)|(?<=www)\.", re.IGNORECASE)
#: What makes a spreadsheet take text for a formula, at its start; in any script's width.
_FORMULA_START = tuple("=+-@\t\r\n＝＋－＠")
#: Directions of letters that are read from right to left, or turn what stands beside them.
_FROM_THE_RIGHT = frozenset({"R", "AL", "AN"})
#: Letters that Excel takes in a cell.
_LONGEST_CELL = 32_767

_SURROGATE = re.compile("[\ud800-\udfff]")


def for_line(text: str) -> str:
    """One line for people: terminals, logs, drawings.

    Args:
        text: anything.

    Returns:
        The same with every letter that is not seen, or does more than be seen, written out; line ends among them.
    """
    return text if _HARMLESS.fullmatch(text) else "".join(map(_seen, text))


def for_block(text: str) -> str:
    """Several lines for people; as :func:`for_line`, but line ends and tabs stay."""
    if _HARMLESS.fullmatch(text):
        return text
    return "".join(letter if letter in "\n\t" else _seen(letter) for letter in text.replace("\r\n", "\n"))


def for_markup(text: str) -> str:
    """Text in HTML or SVG, in an element or in an attribute that is quoted; what is read from the right stays apart."""
    return escape("\n".join(map(_apart, for_block(text).split("\n"))), quote=True)


def for_markdown(text: str) -> str:
    """One line within Markdown: no emphasis, link, code, table or HTML comes of it."""
    return _MARKDOWN.sub(r"\\\g<0>", for_line(text).strip())


def markdown_table(columns: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown, of anything in its cells."""
    lines = [map(_markdown_cell, columns), ("---" for _ in columns), *(map(_markdown_cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_list(lines: Iterable[str]) -> str:
    """A list of Markdown, of anything in its lines."""
    return "\n".join(f"- {for_markdown(line)}" for line in lines)


def for_cell(text: str) -> str:
    """Text in a cell that is written as text: what a workbook can hold, cut to what Excel takes."""
    return for_block(text)[:_LONGEST_CELL]


def for_csv(text: str) -> str:
    """One field of a CSV file: what a spreadsheet would take for a formula gets an apostrophe before it."""
    return f"'{text}" if _tempting(text) else text


def from_csv(field: str) -> str:
    """A field of a CSV file as it was before :func:`for_csv`."""
    return field[1:] if field.startswith("'") and _tempting(field[1:]) else field


def for_json(value: object, plain: Callable[[object], object] = str, *, indent: int | None = None) -> str:
    r"""A document that every reader of JSON takes, with nothing changed in it.

    Letters that a terminal would act on are written as ``\u001b`` and the like, which readers turn back; numbers that
    JSON does not know (``nan``, ``inf``) become ``null``.

    Args:
        value: to be written.
        plain: turns what JSON has no form for into something it has.
        indent: blanks a level; all on one line where ``None``.
    """
    said = json.dumps(_finite(value, plain), ensure_ascii=False, indent=indent, default=plain)
    lines = said.split("\n")
    return said if all(map(_HARMLESS.fullmatch, lines)) else "\n".join("".join(map(_coded, line)) for line in lines)


def unseen(text: str) -> str:
    """The first letter of a text that is not seen, written out; ``""`` for none. Joiners within words are needed."""
    inner = text[1:-1].replace("\u200c", "").replace("\u200d", "")
    return next((_seen(one) for one in f"{text[:1]}{inner}{text[1:][-1:]}" if _seen(one) != one), "")


def storable(text: str) -> str:
    """Text that databases and UTF-8 files can hold: NUL goes, half a surrogate pair becomes the replacement mark."""
    return _SURROGATE.sub("\ufffd", text.replace("\x00", ""))


def _tempting(text: str) -> bool:
    return text.lstrip(" ").startswith((*_FORMULA_START, "'"))


def _apart(line: str) -> str:
    """A line that does not turn the reading direction of what stands beside it."""
    turns = any(unicodedata.bidirectional(letter) in _FROM_THE_RIGHT for letter in line)
    return f"\u2068{line}\u2069" if turns else line


def _markdown_cell(value: object) -> str:
    return for_markdown(str(value))


@lru_cache(maxsize=4096)
def _seen(letter: str) -> str:
    """A letter, or how it is written out where it is not safe to show."""
    unsafe = letter in _UNSEEN_LETTERS or unicodedata.category(letter) in _UNSEEN_CATEGORIES
    return _written(letter) if unsafe else letter


def _written(letter: str) -> str:
    code = ord(letter)
    if letter in _NAMED:
        return _NAMED[letter]
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # how Python holds a byte of a file name that is no UTF-8
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@lru_cache(maxsize=4096)
def _coded(letter: str) -> str:
    """A letter as JSON has it: safe ones as they are."""
    return letter if _seen(letter) == letter else json.dumps(letter)[1:-1] if ord(letter) != 0x7F else "\\u007f"


def _finite(value: object, plain: Callable[[object], object]) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key if isinstance(key, str | int) else str(key): _finite(one, plain) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one, plain) for one in value]
    if value is None or isinstance(value, str | int):
        return value
    return _finite(plain(value), plain)
