"""Every error this project raises on purpose.

    TaggingError
    ├── ImageError                 one image is at fault; it becomes a row, the rest go on
    │   ├── EmptyFile
    │   ├── UnsupportedFormat
    │   ├── ImageTooLarge
    │   ├── UnreadableImage
    │   └── ImageGone              (retryable: a mount may come back)
    ├── ModelError                 a model is at fault; the run stops
    │   ├── WeightsMissing         (retryable: the network may come back)
    │   ├── WeightsCorrupt
    │   └── ModelFailed            (retryable)
    ├── LlmError                   the chat model is at fault; the other sources stand
    │   ├── LlmUnavailable         (retryable)
    │   ├── LlmWaiting             (retryable: a provider's batch has the question)
    │   ├── LlmOverBudget          (retryable: the next day has a budget of its own)
    │   ├── LlmNoAnswer            refused, truncated, not what was asked for
    │   └── LlmRejected            wrong key, unknown model, no credit; the run stops
    ├── StorageError
    │   ├── DatabaseUnavailable    (retryable)
    │   ├── DiskFull               (retryable)
    │   └── UnsafeName             would be a path to somewhere else
    ├── SettingsError              tagging.yaml, a label set or a prompt says something impossible
    └── PolicyError                a label set or rule asks for what must never be tagged

Messages are one line that says what is wrong and how to mend it. What does not belong here: errors of Python
or of libraries; adapters in ``resources`` translate those at the edge.
"""


class TaggingError(Exception):
    """Root of the tree.

    Attributes:
        retryable: whether the same attempt may succeed later without anybody mending anything.
    """

    retryable = False

    @property
    def kind(self) -> str:
        """The class name: what tables and charts group failures by."""
        return type(self).__name__


class ImageError(TaggingError):
    """One image cannot be used. Recorded as its ``status`` and ``error``; never stops a run."""


class EmptyFile(ImageError):
    """The file has no bytes."""


class UnsupportedFormat(ImageError):
    """No decoder here knows the format."""


class ImageTooLarge(ImageError):
    """More pixels than the limit; decoding it could exhaust memory (a decompression bomb)."""


class UnreadableImage(ImageError):
    """The format is known but the content is truncated or corrupt."""


class ImageGone(ImageError):
    """The file was listed, and is not there (or not readable) any more."""

    retryable = True


class ModelError(TaggingError):
    """A model cannot be had or used. Stops the run."""


class WeightsMissing(ModelError):
    """The weights are neither in the cache nor to be fetched."""

    retryable = True


class WeightsCorrupt(ModelError):
    """The weights' SHA-256 is not the catalogue's."""


class ModelFailed(ModelError):
    """The runtime refused to load or to run the model."""

    retryable = True


class LlmError(TaggingError):
    """A chat model gave no usable answer."""


class LlmUnavailable(LlmError):
    """Connection refused, time-out, rate limit or server error."""

    retryable = True


class LlmWaiting(LlmError):
    """The question was handed to a provider's batch API; the answer comes within a day."""

    retryable = True


class LlmOverBudget(LlmError):
    """Nothing was asked, for it might have cost more than the budget has left."""

    retryable = True


class LlmNoAnswer(LlmError):
    """The model answered, and it is no answer: refused, truncated or not in the form asked for."""


class LlmRejected(LlmError):
    """The provider says no for good: wrong key, unknown model, forbidden, no credit."""


class StorageError(TaggingError):
    """What was computed cannot be kept."""


class DatabaseUnavailable(StorageError):
    """Postgres does not answer."""

    retryable = True


class DiskFull(StorageError):
    """No space left in the data folder."""

    retryable = True


class UnsafeName(StorageError):
    """A partition or experiment is called something that cannot be one part of a path."""


class SettingsError(TaggingError):
    """A settings file, label set or prompt does not make sense."""


class PolicyError(TaggingError):
    """What is asked for must never be tagged."""
