"""Which tags go without saying beside others: "shirt" beside "blue shirt".

Decided by whole words: English compounds end in what they are, so "blue shirt" is a shirt and "cat ears" is no cat,
and "chair" has nothing to do with "hair". Where words mislead, a table knows better. In doubt nothing is implied: a
tag too many costs less than one that is missing.

What does not belong here: whether implied tags are dropped (``rules.implied``), which ``fusion`` does.
"""

from collections.abc import Iterable
from functools import lru_cache

from tagging_assets.domain.rules import normalise_tag

#: Kinds whose name does not end in what they are.
_KIND_OF = {
    "jeans": "pants",
    "kitten": "cat",
    "puppy": "dog",
    "sundress": "dress",
    "t-shirt": "shirt",
    "wristwatch": "watch",
}

#: Names that end in what they are not.
_NO_KIND_OF = frozenset(
    {
        *("bell pepper", "custard apple", "corn dog", "hot dog", "prairie dog", "teddy bear", "gummy bear"),
        *("rocking horse", "clothes horse", "sea horse", "sea lion", "sea cucumber", "sea urchin", "guinea pig"),
        *("computer mouse", "piggy bank", "power bank", "river bank", "sand bank", "bird house", "dog house"),
        *("doll house", "green house", "cable car", "bumper car", "jack o lantern", "french horn", "shoe tree"),
    }
)

#: First words that turn a thing into none, or into a picture or copy of one.
_UNMAKES = frozenset(
    {
        *("no", "not", "non", "without", "missing", "fake", "faux", "toy", "stuffed", "plush", "pseudo"),
        *("cardboard", "inflatable", "imaginary", "invisible", "miniature", "painted", "drawn", "former"),
    }
)

#: What stands after one of these is another thing: "bird on shoulder" is a bird.
_PREPOSITIONS = frozenset(
    {
        *("on", "in", "of", "with", "without", "at", "to", "from", "for", "by", "under", "over", "behind", "between"),
        *(
            "through",
            "around",
            "against",
            "beside",
            "inside",
            "outside",
            "above",
            "below",
            "and",
            "or",
            "as",
            "into",
            "near",
        ),
    }
)


@lru_cache(maxsize=65_536)
def implied(tag: str) -> frozenset[str]:
    """Every tag that a tag makes needless, whether or not such a tag exists.

    Args:
        tag: in any spelling. A name with a part in brackets, such as "bow (weapon)", implies nothing: the brackets
            say that it is not what its words say.
    """
    plain = normalise_tag(tag)
    words = plain.split(" ")
    found = {_KIND_OF[plain]} if plain in _KIND_OF else set()
    if "(" in plain or words[0] in _UNMAKES or plain in _NO_KIND_OF:
        return frozenset(found)
    end = next((place for place, word in enumerate(words) if word in _PREPOSITIONS), len(words))
    for start in range(end):
        part = " ".join(words[start:end])
        if part in _NO_KIND_OF:
            # "large teddy bear" is a teddy bear, and no bear either.
            found.add(part)
            break
        found |= {part, " ".join(words[start:])} | ({_KIND_OF[part]} if part in _KIND_OF else set())
    return frozenset(found - {plain})


def needless(tags: Iterable[str]) -> dict[str, str]:
    """Those of the tags that others of them imply, each with the longest that does; ties by name."""
    beside = sorted(set(tags), key=lambda tag: (-len(tag.split(" ")), tag))
    found: dict[str, str] = {}
    for tag in beside:
        for other in implied(tag):
            found.setdefault(other, tag)
    return {tag: found[tag] for tag in beside if tag in found}
