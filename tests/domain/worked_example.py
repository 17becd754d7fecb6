"""The worked example of ``docs/scoring.md`` as data: 3 photos, 5 contestants, a pool of 12 tags.

Every number here was worked out by hand (see the document), not taken from the code.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from tagging_assets.domain.chat_settings import Sampling
from tagging_assets.domain.experiments import Configuration
from tagging_assets.domain.relevance import marks_of_decisions
from tagging_assets.domain.scoreboard import Options, Scoreboard
from tagging_assets.domain.scoreboard_making import PhotoFacts, make_scoreboard
from tagging_assets.domain.voting import Mark, Vote, Winner, shown_hash

POOL = ("beach", "sea", "dog", "sand", "sky", "boat", "red", "person", "summer", "wave", "ball", "sunset")

MADE_AT = datetime(2026, 6, 12, 9, 30, tzinfo=UTC)

ORIGINAL = Options(leave_one_out=False, middle_points=0.0)

CONTESTANTS = (
    Configuration("alpha", "openrouter/alpha-large", "select"),
    Configuration("bravo", "openrouter/bravo", "select"),
    Configuration("charlie", "gemma3-270m-q4", "select"),
    Configuration("delta", "lab/delta", "select-brief"),
    Configuration("echo", "openrouter/echo-mini", "select", sampling=Sampling(temperature=0.8)),
)

PHOTOS = (
    PhotoFacts("p1", "beach.jpg", "2026-w23-zvkxk", datetime(2026, 6, 3, tzinfo=UTC), ("beach", "sea", "dog", "sky")),
    PhotoFacts("p2", "harbour.jpg", "2026-w24-hmnpt", datetime(2026, 6, 10, tzinfo=UTC), ("boat", "Sea")),
    PhotoFacts("p3", "garden.jpg", "2026-w24-hmnpt", datetime(2026, 6, 10, tzinfo=UTC)),
)

# (photo, contestant): tags of the pool and tags outside of it, one pair per repeat; None is an answer cut short.
_SAID: dict[tuple[str, str], list[tuple[str, str] | None]] = {
    ("p1", "alpha"): [("beach sea dog sand", "golden_hour")],
    ("p1", "bravo"): [("beach sea dog sand person summer", "")],
    ("p1", "charlie"): [("beach sea dog red summer", "")],
    ("p1", "delta"): [("beach sea sky red summer", "")],
    ("p1", "echo"): [("beach boat summer", "")] * 5,
    ("p2", "alpha"): [("Boat sea sky", "harbour")],  # another spelling of the pool's "boat"
    ("p2", "bravo"): [("boat sea person", "")],
    ("p2", "charlie"): [("boat person wave Wave", "")],  # "wave" counts once
    ("p2", "delta"): [None],
    ("p2", "echo"): [("boat sea", "harbour"), ("boat sea", ""), ("boat sea", ""), ("boat sea sky", ""), ("boat", "")],
    ("p3", "alpha"): [("dog ball sand", "")],
    ("p3", "bravo"): [("dog ball person", "")],
    ("p3", "charlie"): [("dog ball sky beach", "")],
    ("p3", "delta"): [("dog sand red", "")],
    ("p3", "echo"): [("dog ball sand", ""), ("dog ball beach", ""), ("dog ball", ""), ("dog ball", ""), ("", "")],
}

#: US dollars per question; nobody knows what delta costs.
COSTS: dict[str, float | None] = {"alpha": 0.002, "bravo": 0.01, "charlie": 0.0, "delta": None, "echo": 0.0005}

#: Seconds per question, by photo.
SECONDS = {
    "alpha": (1.0, 2.0, 3.0),
    "bravo": (0.5, 0.5, 0.5),
    "charlie": (4.0, 4.0, 4.0),
    "delta": (1.0, 1.0, 1.0),
    "echo": (0.2, 0.2, 0.2),
}


def answers() -> list[dict[str, Any]]:
    """Rows of ``benchmark_answers``."""
    return [
        _answer(image_id, label, repeat, said)
        for (image_id, label), repeats in _SAID.items()
        for repeat, said in enumerate(repeats)
    ]


def _answer(image_id: str, label: str, repeat: int, said: tuple[str, str] | None) -> dict[str, Any]:
    tags, outside = said or ("", "")
    outcome = "truncated" if said is None else "ok" if tags or outside else "empty"
    return {
        "image_id": image_id,
        "configuration": label,
        "repeat": repeat,
        "model": next(one.model for one in CONTESTANTS if one.label == label),
        "outcome": outcome,
        "error": "the reply was cut off at 64 tokens" if said is None else "",
        "tags": tags.split(),
        "outside": outside.replace("_", " ").split(",") if outside else [],
        "pool": list(POOL),
        "request_hash": f"{image_id}-{label}-{repeat}",
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "cached_tokens": None,
        "cost_usd": COSTS[label],
        "cost_source": "" if COSTS[label] is None else "provider",
        "seconds": SECONDS[label][int(image_id[1]) - 1],
        "asked": True,
    }


# Photo, tag, marker and word, in the order given: yes, no, or the word taken back.
_MARKS = """
p1 dog ann yes, p1 dog ben yes, p1 sand ann yes, p1 sand ben yes, p1 sky ann yes
p1 boat ann no, p1 boat ben no
p1 person ann yes, p1 person ben no
p1 summer ben yes, p1 summer ann no, p1 summer ben no
p1 golden_hour ann yes
p2 sea ann yes, p2 sea ben yes, p2 Sky ann yes, p2 person ann yes, p2 person ben yes
p3 ball ann yes, p3 ball ben yes, p3 sand ann yes, p3 beach ann yes
p3 person ann yes, p3 person ben no, p3 person cleo yes
p3 sky ann yes, p3 sky ann back
"""


def marks() -> list[Mark]:
    """What ann, ben and cleo say; that "red" does not suit the garden, cleo said while deciding on published tags."""
    word = {"yes": True, "no": False, "back": None}
    given = [line.split() for line in _MARKS.replace("\n", ",").split(",") if line.strip()]
    said = [
        Mark(image_id, tag, word[says], marker, MADE_AT - timedelta(hours=2) + timedelta(seconds=place))
        for place, (image_id, tag, marker, says) in enumerate(given)
    ]
    decided = {"image_id": "p3", "tag": "red", "verdict": "rejected", "who": "cleo", "decided_at": MADE_AT}
    return [*said, *marks_of_decisions([decided])]


# Photo, left, right, winner, voter, kind.
_VOTES: tuple[tuple[str, str, str, Winner, str, str], ...] = (
    ("p1", "alpha", "bravo", "left", "ann", "person"),
    ("p1", "alpha", "bravo", "right", "ann", "person"),  # ann takes the one before back
    ("p1", "charlie", "alpha", "tie", "ann", "person"),
    ("p2", "bravo", "charlie", "left", "ben", "person"),
    ("p3", "echo", "bravo", "right", "ann", "person"),
    ("p3", "delta", "charlie", "right", "ben", "person"),
    ("p1", "alpha", "bravo", "right", "judge-model", "judge"),
    ("p1", "bravo", "alpha", "left", "judge-model", "judge"),
    ("p3", "echo", "bravo", "left", "judge-model", "judge"),
)


def votes() -> list[Vote]:
    """Blind comparisons; the last one is about an answer that has changed since."""
    tags = {(row["image_id"], row["configuration"]): row["tags"] for row in answers() if row["repeat"] == 0}
    given = [
        Vote(
            "worked-example",
            image_id,
            left,
            right,
            winner,
            shown_hash(tags[image_id, left], tags[image_id, right]),
            voter,
            "judge" if kind == "judge" else "person",
            MADE_AT + timedelta(seconds=place),
        )
        for place, (image_id, left, right, winner, voter, kind) in enumerate(_VOTES)
    ]
    stale = shown_hash(["dog"], tags["p3", "alpha"])
    return [*given, Vote("worked-example", "p3", "bravo", "alpha", "left", stale, "ben", "person", MADE_AT)]


@cache
def worked_example(options: Options | None = None) -> Scoreboard:
    """The scoreboard of the example, read as by default, or as :data:`ORIGINAL`."""
    return make_scoreboard(
        experiment="worked-example",
        purpose="Every rule of scoring, and every edge of it",
        made_at=MADE_AT,
        contestants=CONTESTANTS,
        answers=answers(),
        photos=PHOTOS,
        marks=marks(),
        votes=votes(),
        options=options,
    )
