"""When what failed is tried again: by kind of error, waiting longer each time, and not for ever.

The wait doubles from attempt to attempt (exponential backoff; Metcalfe and Boggs, "Ethernet", CACM 19(7), 1976),
so that a provider that is down for an hour is not asked a thousand times. What does not belong here: which errors
may be retried at all; the error says so itself (``errors.TaggingError.retryable``).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from tagging_assets.domain.frames import ImageRecord

#: Attempts after which nobody tries again unasked.
CEILING = 6

LONGEST_WAIT = timedelta(hours=6)

#: Wait after the first failure, by kind of error; what a person must mend first is not worth a quick look.
_FIRST_WAIT = {
    "LlmUnavailable": timedelta(minutes=1),
    "ImageGone": timedelta(minutes=10),
    # A provider's batch takes up to a day; the sensor that collects it asks for a run at once.
    "LlmWaiting": LONGEST_WAIT,
}
_OTHER_FIRST_WAIT = timedelta(minutes=2)


class Retrying(StrEnum):
    """Which failed images a run tries again."""

    #: Those whose time has come: what runs unattended does.
    DUE = "due"
    #: All that may succeed, at once: somebody is there and asked for a run.
    NOW = "now"
    #: All, whatever the error: somebody asked for just that.
    ALL = "all"


def next_try(record: ImageRecord) -> datetime | None:
    """When a failed record is due; ``None`` where it is not tried again unasked."""
    if record.ok or not record.retryable or record.attempts >= CEILING:
        return None
    first = _FIRST_WAIT.get(record.error_kind or "", _OTHER_FIRST_WAIT)
    wait: timedelta = first * 2 ** (record.attempts - 1)
    return record.computed_at + min(wait, LONGEST_WAIT)


def is_due(record: ImageRecord, retrying: Retrying, now: datetime) -> bool:
    """Whether a run tries a failed record again."""
    if record.ok:
        return False
    if retrying is not Retrying.DUE:
        return retrying is Retrying.ALL or record.retryable
    due = next_try(record)
    return due is not None and has_come(due, now)


def has_come(due: datetime, now: datetime) -> bool:
    """Whether it is time; what lies farther ahead than any wait was written by a clock that was put back since."""
    return due <= now or due > now + LONGEST_WAIT


def first_retry(records: Iterable[ImageRecord]) -> datetime | None:
    """When the first of some records is due; ``None`` where none is tried again unasked."""
    return min((due for record in records if (due := next_try(record)) is not None), default=None)
