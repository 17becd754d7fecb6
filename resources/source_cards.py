"""The catalogue's word on how far each model of each source is trusted.

What does not belong here: what decisions (``domain/fitted.py``) and the operator (``domain/evidence.py``) change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import get_args

from resources.catalogue import Capability, Entry
from tagging_assets.domain.booru import GENERAL, RATING
from tagging_assets.domain.calibration import Calibration
from tagging_assets.domain.cutting import PhotoCut, photo_cut
from tagging_assets.domain.evidence import FEATURE_SOURCE, SourceCard
from tagging_assets.domain.gathering import CHAT, DETECTOR, PEOPLE, PERSON, TAGGER, ZERO_SHOT
from tagging_assets.domain.gathering import THRESHOLD as USUAL_THRESHOLD
from tagging_assets.domain.labels import Topic
from tagging_assets.domain.models import PERSON_LABEL

#: Sources whose trust is that of a model of the catalogue, by its task.
_TASKS = {DETECTOR: "person_detection", ZERO_SHOT: "zero_shot", TAGGER: "tagging", CHAT: "chat"}

#: Sources about people whom the person score has already weighed.
_PEOPLE = {PEOPLE: SourceCard(weight=1.0, threshold=PERSON), FEATURE_SOURCE: SourceCard(weight=1.0)}


#: What the knobs begin with that say from which raw score on labels of a category count: ``threshold_general`` …
THRESHOLD = "threshold_"

#: Knob that says how a photo's threshold is found: ``published`` (those knobs) or ``mcut``.
_MODE = f"{THRESHOLD}mode"

#: No raw score gets there. A rating says who may see a photo, not what is on it: it is a tag only where the operator
#: says so, with a threshold for the category ``rating`` in ``rules.sources``.
_NEVER = 2.0

Knobs = Mapping[str, Capability]
_NO_KNOBS: Mapping[str, Knobs] = {}


def catalogue_cards(
    profile: Mapping[str, Entry], speakers: Iterable[tuple[str, str]], knobs: Mapping[str, Knobs] = _NO_KNOBS
) -> dict[tuple[str, str], SourceCard]:
    """Cards of the (source, model) pairs that speak.

    Args:
        profile: entries by task.
        speakers: who speaks.
        knobs: what was chosen about the entries, by task.
    """
    return {
        (source, model): _PEOPLE.get(source) or _card(profile[_TASKS[source]], knobs.get(_TASKS[source], {}))
        for source, model in speakers
    }


def sees_things(detector: Entry) -> bool:
    """Whether a detector may find anything but people; known without loading it."""
    return set(detector.labels.values()) != {PERSON_LABEL}


def sees_people(tagger: Entry) -> bool:
    """Whether labels of a tagger may describe people, and not only say that somebody is there; so may any unknown's."""
    return "people" in str(tagger.capabilities.get("sees", "people")).split(", ")


def topics_of(scorer: Entry) -> list[str]:
    """What a zero-shot scorer can see (``Topic``); all there is where its entry says nothing."""
    said = scorer.capabilities.get("sees")
    return list(get_args(Topic)) if said is None else str(said).split(", ")


def tagger_cut(knobs: Knobs, floor: float) -> PhotoCut | None:
    """How the tagger's labels are cut photo by photo; ``None`` where every photo has the same thresholds.

    Args:
        knobs: of the tagger.
        floor: raw score below which its scores are not kept.
    """
    return photo_cut(floor) if knobs.get(_MODE) == "mcut" else None


def _card(entry: Entry, knobs: Knobs) -> SourceCard:
    # Sources that see through the same network count once.
    family = entry.uses[0] if entry.uses else entry.name
    thresholds = {
        name.removeprefix(THRESHOLD): float(value)
        for name, value in knobs.items()
        if name.startswith(THRESHOLD) and name != _MODE
    }
    usual = float(knobs.get(USUAL_THRESHOLD, 0.0))
    card = SourceCard(entry.fusion.weight, Calibration.from_points(entry.fusion.calibration), usual, family=family)
    if not thresholds:
        return card
    # Categories that nothing is said about are cut like the most usual one.
    usual = thresholds.get(GENERAL, max(thresholds.values()))
    return replace(card, threshold=usual, thresholds={RATING: _NEVER, **thresholds})
