"""The library ONNX Runtime itself: loading it, its errors by our names, and its chatter kept off the terminal.

What does not belong here: what it may run on (``onnx_providers``) and models (``onnx_session``).
"""

import importlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from tagging_assets.domain.errors import ModelError, ModelFailed, WeightsCorrupt, WeightsMissing

#: ONNX Runtime's exception classes by name, and what each means here. The classes share no base but
#: ``Exception``; a test holds that none is left out. Those not retryable say that the file itself is wrong.
ORT_ERRORS: Mapping[str, type[ModelError]] = {
    "DeviceReset": ModelFailed,
    "EPFail": ModelFailed,
    "EngineError": ModelFailed,
    "Fail": ModelFailed,
    "InvalidArgument": ModelFailed,
    "InvalidGraph": WeightsCorrupt,
    "InvalidProtobuf": WeightsCorrupt,
    "ModelLoadCanceled": ModelFailed,
    "ModelLoaded": ModelFailed,
    "ModelRequiresCompilation": ModelFailed,
    "NoModel": WeightsMissing,
    "NoSuchFile": WeightsMissing,
    "NotFound": WeightsMissing,
    "NotImplemented": ModelFailed,
    "RuntimeException": ModelFailed,
}


def load_onnxruntime() -> Any:
    """The module ``onnxruntime``, its telemetry off; the one place that imports it.

    From 1.31 on its builds for Linux tell the vendor about sessions too, unless told not to before they are loaded.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def preload_tensorrt() -> None:
    """Load TensorRT's libraries out of the Python package that carries them, where it is installed."""
    with suppress(ImportError, OSError):
        importlib.import_module("tensorrt_libs")


def raise_typed(error: Exception, what: str) -> NoReturn:
    """Translate an ONNX Runtime error; anything else (``MemoryError``, a bug of ours) passes as it is.

    Args:
        error: as it was caught.
        what: failed, for people.

    Raises:
        ModelError: of the kind that :data:`ORT_ERRORS` says, in one line.
    """
    kind = ORT_ERRORS.get(type(error).__name__)
    if kind is None and isinstance(error, ValueError):
        # A missing input or an unknown output name is a plain ValueError of the Python layer.
        kind = ModelFailed
    if kind is None:
        raise error
    hint = "" if kind is ModelFailed else "; run `tagging models verify`"
    raise kind(f"{what}: {first_line(error)}{hint}") from error


def first_line(error: Exception) -> str:
    """The first line of what an error says; its class where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class Chatter:
    """What native code wrote to stderr."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def reason(self) -> str:
        """The first error, or else the first warning, without ONNX Runtime's time stamp and colours."""
        found = [line for line in self.lines if _ORT_LINE.search(line)]
        for line in sorted(found, key=lambda line: "[E:onnxruntime" not in line)[:1]:
            message = _ORT_LINE.sub("", line).replace("\x1b[m", "").strip()
            return message.rpartition("with error: ")[2][:200]
        return ""


# 2026-01-31 12:00:00.000 [E:onnxruntime:Default, provider_bridge_ort.cc:2195 TryGetProviderInfo_CUDA] …
_ORT_LINE = re.compile(r"^.*?\[[VIWEF]:onnxruntime:[^\]]*\]")
# Such a line, or the colour reset that it leaves on a line of its own.
_NOISE = re.compile(rf"{_ORT_LINE.pattern}|^\x1b\[[\d;]*m$")
_stderr_lock = threading.Lock()


@contextmanager
def native_chatter() -> Iterator[Chatter]:
    """Keep ONNX Runtime's own log lines off stderr, and everybody else's on it.

    It complains past Python's ``sys.stderr`` that a machine has no GPU, so the file descriptor is pointed at a
    temporary file for the while. Lines that are not ONNX Runtime's, and all of them if an error escapes, are
    passed on at the end.
    """
    chatter = Chatter()
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        # stderr is captured or closed: there is no terminal to keep clean.
        yield chatter
        return
    with _stderr_lock, tempfile.TemporaryFile() as buffer:
        sys.stderr.flush()
        saved = os.dup(descriptor)
        os.dup2(buffer.fileno(), descriptor)
        failed = True
        try:
            yield chatter
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(saved, descriptor)
            os.close(saved)
            buffer.seek(0)
            chatter.lines = buffer.read().decode(errors="replace").splitlines()
            sys.stderr.writelines(f"{line}\n" for line in chatter.lines if failed or not _NOISE.search(line))
