"""The catalogue's word on how far each model of each source is trusted.

What does not belong here: what decisions (``domain/fitted.py``) and the operator (``domain/evidence.py``) change.
"""

from collections.abc import Iterable, Mapping

from resources.catalogue import Entry
from tagging_assets.domain.calibration import Calibration
from tagging_assets.domain.evidence import FEATURE_SOURCE, SourceCard
from tagging_assets.domain.gathering import CHAT, PEOPLE, PERSON, TAGGER, ZERO_SHOT

#: Sources whose trust is that of a model of the catalogue, by its task.
_TASKS = {ZERO_SHOT: "zero_shot", TAGGER: "tagging", CHAT: "chat"}

#: Sources about people whom the person score has already weighed.
_PEOPLE = {PEOPLE: SourceCard(weight=1.0, threshold=PERSON), FEATURE_SOURCE: SourceCard(weight=1.0)}


def catalogue_cards(
    profile: Mapping[str, Entry], speakers: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], SourceCard]:
    """Cards of the (source, model) pairs that speak, from the profile's entries by task."""
    return {(source, model): _PEOPLE.get(source) or _card(profile[_TASKS[source]]) for source, model in speakers}


def _card(entry: Entry) -> SourceCard:
    # Sources that see through the same network count once.
    family = entry.uses[0] if entry.uses else entry.name
    return SourceCard(entry.fusion.weight, Calibration.from_points(entry.fusion.calibration), family=family)
