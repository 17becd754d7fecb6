"""Every error this project raises on purpose.

    TaggingError
    ├── ImageError                 one image is at fault; it becomes a row, the rest go on
    │   ├── EmptyFile
    │   ├── UnsupportedFormat
    │   ├── ImageTooLarge
    │   ├── UnreadableImage
    │   ├── CheckFailed            (what came out breaks a check)
    │   ├── DecoderCrashed
    │   ├── DecoderTimedOut
    │   └── ImageGone              (retryable: a mount may come back)
    ├── DecoderMissing             photos cannot be decoded at all; the run stops
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
    ├── RunFailed                  Dagster ended a run for a reason of its own
    ├── StorageError
    │   ├── DatabaseUnavailable    (retryable)
    │   ├── DamagedFile            (retryable: it was set aside, and is made again)
    │   ├── DiskFull               (retryable)
    │   └── UnsafeName             would be a path to somewhere else
    ├── SettingsError              tagging.yaml, a label set or a prompt says something impossible
    ├── PolicyError                a label set or rule asks for what must never be tagged
    └── InternalError              a fault of this program, or of a library it uses

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


class CheckFailed(ImageError):
    """What came out for it breaks a check; it is set aside, so that the rest of its batch goes on."""


class DecoderCrashed(ImageError):
    """The process that decoded it died of it. The same bytes would do the same again."""


class DecoderTimedOut(ImageError):
    """Decoding it takes longer than a photo may."""


class ImageGone(ImageError):
    """The file was listed, and is not there (or not readable) any more."""

    retryable = True


class DecoderMissing(TaggingError):
    """No process that decodes photos can be started."""


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


class RunFailed(TaggingError):
    """Dagster ended a run for a reason of its own."""


class StorageError(TaggingError):
    """What was computed cannot be kept."""


class DatabaseUnavailable(StorageError):
    """Postgres does not answer."""

    retryable = True


class DamagedFile(StorageError):
    """A file of derived rows could not be read; it was set aside, so that the next run makes it again."""

    retryable = True


class DiskFull(StorageError):
    """No space left: in the data folder, for Postgres, or wherever else something is written."""

    retryable = True


class UnsafeName(StorageError):
    """A partition or experiment is called something that cannot be one part of a path."""


class SettingsError(TaggingError):
    """A settings file, label set or prompt does not make sense."""


class PolicyError(TaggingError):
    """What is asked for must never be tagged."""


class InternalError(TaggingError):
    """Something went wrong that nobody foresaw; the traceback is kept for whoever mends it."""
