"""What a text says to a person who reads it, whatever it is written with: the normalised readings of a term.

Words are hidden behind letters that look alike (Cyrillic ``а``), invisible characters, accents, digits for letters,
separated letters and joined words. Each of these habits is undone here, in one place; :func:`readings` gives every
text that a reader may make of the term. The work grows in step with the text's length.

Look-alikes are those of Unicode's "confusables" (UTS 39, Unicode Security Mechanisms) for the letters a to z in
Cyrillic, Greek, Armenian, Cherokee and phonetic letters; compatibility forms (full-width, mathematical, circled)
are NFKC's. What does not belong here: which words are refused (``policy``).
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping

_ALIKE = (
    # Cyrillic
    ("авсԁеһніјкӏмопрԛгѕтуѵѡшхүьияґєцԝ", "abcdehhijklmonpqrstyvwwxybnrreuw"),
    # Greek
    ("αβγδεζηικλμνοπρσςτυχω", "abydeznikluvonpostuxw"),
    # Armenian
    ("աոօսհցզլւյքք", "wnouhgqlijpp"),
    # Latin letters of their own: phonetic, small capitals, turned, with strokes
    ("ɑɐɡɢıɩɪᴉłʟøɔđħʜɥŧʇəǝɛɟꜰʙᴄᴅᴇᴊɾᴋʞᴍɯɴᴏᴘʀɹꜱᴛᴜᴠʌᴡʍʏʎᴢƃðþ", "aaggiiiillocdhhhtteeeffbcdejjkkmmnoprrstuvvwwyyzgdp"),
)
_CHEROKEE = ("ᎪᏴᏟᎠᎬᏀᎻᎥᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᎩᏃ", "abcdeghijklmprstvwyz")
_LATIN = {
    ord(sign): letter for signs, letters in (*_ALIKE, _CHEROKEE) for sign, letter in zip(signs, letters, strict=True)
}
_LATIN |= {ord("æ"): "ae", ord("œ"): "oe"}
#: Letters in boxes and flags that NFKC leaves alone.
_BOXED = {first + number: chr(ord("a") + number) for first in (0x1F150, 0x1F170, 0x1F1E6) for number in range(26)}

_SOME_CYRILLIC = re.compile("[а-яё]")
_TO_CYRILLIC = str.maketrans("abcehkmoptxy", "авсенкмортху")
_BLANK = {0x034F: None, 0x115F: None, 0x1160: None, 0x3164: None, 0xFFA0: None, 0x2800: " "}
#: Arabic letters of one sound, as Arabic, Persian and Urdu keyboards write them, and the stretching line.
_ARABIC = str.maketrans(
    {"ى": "ي", "ی": "ي", "ے": "ي", "ې": "ي", "ک": "ك", "ة": "ه", "ہ": "ه", "ھ": "ه", "ٱ": "ا", "ـ": None}
)

#: Signs that are part of a letter and not an accent on it.
_KEPT_MARKS = "\u0900-\u0dff\u3099\u309a"
CJK = "\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_MARK = re.compile(f"[{_KEPT_MARKS}]")
_BETWEEN_CJK = re.compile(rf"(?<=[{CJK}])\s+(?=[{CJK}])")
_WORD = re.compile(rf"\d+|[{CJK}]+|(?:(?![{CJK}])[^\W\d_]|[{_KEPT_MARKS}])+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_POSSESSIVE = re.compile(r"(?<=[a-z])['’`]s\b")
_SEPARATED = re.compile(r"(?<=\w)[^\w\s'’″′\"”,;:()]+(?=\w)|(?<=[^\W\d])_+(?=[^\W\d])")
_STRETCHED = re.compile(r"([a-z])\1{2,}")
_OVERRIDE = re.compile("[\u202d\u202e\u2066-\u2068]")
_REVERSED = re.compile("\u202e([^\u202c]*)\u202c?")
_TURNED = re.compile("[ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ]")
_UPSIDE_DOWN = str.maketrans("undbqpu", "nupqbdn")

_LEET = str.maketrans("4@3€10!|5$7+896¡¢£2", "aaeeioiisstt" + "bggiclz")
_LEET_L = _LEET | str.maketrans("1!|", "lll")
_LEET_CHUNK = re.compile(r"[^\s,;:()\"“”]+")
_VOWELS = "aeiou"


def plain(text: str) -> str:
    """Lower case without accents, invisible signs and possessives; other scripts stay what they are."""
    return _POSSESSIVE.sub("", _folded(text))


def words(text: str) -> list[str]:
    """The words of a plain text; a run of Chinese or Japanese is one."""
    return _WORD.findall(text)


def readings(term: str) -> tuple[str, ...]:
    """Every plain text that a person may read in a term, the plainest first, each once."""
    found: dict[str, None] = {}
    for text in (term, *_turned(term)):
        base = plain(text)
        found[base] = None
        if (camel := _CAMEL.sub(" ", unicodedata.normalize("NFKC", text))) != text:
            found[plain(camel)] = None
        latin = _latin(base)
        found[latin] = None
        found[_cyrillic(base)] = None
        for one in (base, latin):
            found[_SEPARATED.sub("", one)] = None
            found[_letters_joined(one)] = None
        for one in _leet(latin):
            found[one] = None
            found[_SEPARATED.sub("", one)] = None
        for keep in (r"\1", r"\1\1"):
            found[_STRETCHED.sub(keep, latin)] = None
    return tuple(found)


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text.translate(_BOXED).translate(_BLANK)).casefold()
    decomposed = unicodedata.normalize("NFD", text.replace("_", " ") if text.strip("_ ") else text)
    kept = "".join(_seen(decomposed))
    return _BETWEEN_CJK.sub("", unicodedata.normalize("NFC", kept).translate(_ARABIC))


def _seen(decomposed: str) -> Iterator[str]:
    for sign in decomposed:
        if sign.isascii():
            if sign.isprintable() or sign.isspace():
                yield sign
            continue
        category = unicodedata.category(sign)
        if category == "Nd":
            yield str(unicodedata.decimal(sign))
        elif category[0] == "M":
            if _MARK.match(sign):
                yield sign
        elif category not in ("Cf", "Cc", "Cs"):
            yield sign


def _latin(text: str) -> str:
    return text if text.isascii() else text.translate(_LATIN)


def _cyrillic(text: str) -> str:
    """Words that are partly Cyrillic with their Latin letters read as Cyrillic ones."""
    if not _SOME_CYRILLIC.search(text):
        return text
    return _WORD.sub(lambda word: word[0].translate(_TO_CYRILLIC) if _SOME_CYRILLIC.search(word[0]) else word[0], text)


def _turned(term: str) -> Iterator[str]:
    """What stands there where signs turn the direction, or letters stand on their heads."""
    if _OVERRIDE.search(term):
        yield _REVERSED.sub(lambda found: found[1][::-1], term)
    if _TURNED.search(term):
        upright = "".join(
            letter.translate(_UPSIDE_DOWN) if letter.isascii() else _LATIN.get(ord(letter), letter) for letter in term
        )
        yield upright[::-1]


def _letters_joined(text: str) -> str:
    """Letters that stand alone, three and more in a row, as one word."""
    found: list[str] = []
    run: list[str] = []
    for word in (*_WORD.findall(text), ""):
        if len(word) == 1 and word.isalpha() and not "\u3040" <= word <= "\u9fff":
            run.append(word)
            continue
        found += ["".join(run)] if len(run) > 2 else run
        run = []
        found.append(word)
    return " ".join(found).rstrip()


def _leet(text: str) -> Iterator[str]:
    """The text with digits and signs read as the letters that they stand for."""
    chunks = _LEET_CHUNK.findall(text)
    for table in (_LEET, _LEET_L):
        read = [_decoded(chunk, table) for chunk in chunks]
        if read != chunks:
            yield " ".join(read)
    if any("*" in chunk or "#" in chunk for chunk in chunks):
        for vowel in _VOWELS:
            yield " ".join(re.sub(r"(?<=[a-z])[*#]+(?=[a-z])", vowel, chunk) for chunk in chunks)


def _decoded(chunk: str, table: Mapping[int, int]) -> str:
    letters = sum(sign.isalpha() for sign in chunk)
    coded = sum(ord(sign) in table for sign in chunk)
    return chunk.translate(table) if letters >= 2 and 0 < coded <= letters else chunk
