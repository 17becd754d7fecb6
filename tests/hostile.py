"""Words as somebody would choose them who wants them to do something where they are shown."""

import unicodedata

#: By what they are after.
HOSTILE = {
    "closing markup": "[/dog]",
    "a link of rich": "[link=http://evil.example]dog[/link]",
    "style and a backslash": "[red]dog\\",
    "colour": "\x1b[31mdog\x1b[0m",
    "a link of terminals": "\x1b]8;;http://evil.example\x07dog\x1b]8;;\x07",
    "one-byte escapes": "dog\x9b2J",
    "another line": "dog\nfailed: cat",
    "over the line": "dog\rcat",
    "tabs and bells": "dog\t\x07\x08",
    "turned round": "dog\u202egpj.exe",
    "isolates": "\u2066dog\u2069\u200f",
    "unseen": "d\u200bo\u2060g\ufeff\u00ad",
    "unseen letters": "dog\u3164\u115f\u034f",
    "tag letters": "dog\U000e0041\U000e007f",
    "other line ends": "dog\u2028cat\u2029\x85\x0b\x0c",
    "half a letter": "dog\ud83d",
    "no UTF-8": "caf\udce9.jpg",
    "no character": "dog\uffff\ufffe\x00",
    "HTML": "<script>alert(1)</script>\"' onload='x",
    "entities": "&lt;b&gt; ]]> <!-- -->",
    "Markdown": "![x](http://evil.example/x.png) [dog](javascript:alert(1)) `a` **b** | c",
    "a bare address": "see https://evil.example or www.evil.example, me@evil.example",
    "a formula": '=HYPERLINK("http://evil.example","dog")',
    "a command": "@SUM(1+1)*cmd|' /C calc'!A0",
    "from the right": "\u05d0\u05d1 dog \u0627\u0628",
    "braces": "{title} {0} %s {{ 7*7 }}",
    "long": "dog " * 20_000,
}

#: Letters that no outlet for people may pass on, but line ends and tabs, which some do.
_FORBIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: What we ourselves put round words that are read from the right, on pages.
_OURS = frozenset("\u2068\u2069")


def unsafe(text: str, *, but: str = "") -> set[str]:
    """Letters of a text that act on whatever shows it, or are not seen."""
    return {one for one in text if unicodedata.category(one) in _FORBIDDEN and one not in but and one not in _OURS}
