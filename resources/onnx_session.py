"""One ONNX Runtime session class for all inference: provider choice, warm cache, typed errors.

What does not belong here: what goes into a model or comes out of it; the adapters beside this module know that.
"""

import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from tagging_assets.domain.errors import ModelError, ModelFailed, WeightsCorrupt, WeightsMissing

logger = logging.getLogger(__name__)

Provider = Literal["auto", "cpu", "cuda", "tensorrt"]

#: What :attr:`OnnxSession.provider` and the adapters say before anything is loaded.
NOT_LOADED = "not loaded"

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_TENSORRT = "TensorrtExecutionProvider"

#: What each choice tries, best first. CPU always closes the list: a slow answer beats none, and is reported.
_PREFERENCE: Mapping[Provider, tuple[str, ...]] = {
    "auto": (_CUDA, _CPU),
    "cpu": (_CPU,),
    "cuda": (_CUDA, _CPU),
    "tensorrt": (_TENSORRT, _CUDA, _CPU),
}

# Device files of NVIDIA's driver on Linux, and of Windows' under WSL.
_GPU_DEVICES = ("nvidia[0-9]*", "dxg")

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


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """How to run a model.

    Attributes:
        provider: ``auto`` takes CUDA where it works and the CPU elsewhere; ``tensorrt`` builds an engine per
            model first (minutes), so it is never chosen unasked.
        threads: intra-op threads on the CPU; 0 leaves it to ONNX Runtime (one per physical core).
        batch: pictures per run at most; 0 leaves it to ``inference``.
    """

    provider: Provider = "auto"
    threads: int = 0
    batch: int = 0


class Session(Protocol):
    """What an adapter needs of a session; tests inject fakes of this shape."""

    @property
    def inputs(self) -> Mapping[str, tuple[int | str | None, ...]]:
        """Input name to shape; free dimensions are strings or ``None``."""
        ...

    @property
    def provider(self) -> str:
        """Execution provider that really runs."""
        ...

    def run(self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> list[NDArray[Any]]:
        """The named outputs (all, if ``None``) for the named inputs."""
        ...


#: CUDA where there is a GPU, else the CPU, with as many threads as it has cores.
DEFAULT_OPTIONS = OnnxOptions()


class OnnxSession:
    """A loaded model. Safe to call from several threads at once, as ONNX Runtime is.

    Attributes:
        path: the model file.
        inputs: input name to shape; free dimensions are strings.
        outputs: output name to shape.
        fell_back: whether a slower provider runs than the one chosen.
    """

    def __init__(self, path: Path, options: OnnxOptions = DEFAULT_OPTIONS) -> None:
        """Load the model.

        Raises:
            WeightsMissing: there is no such file.
            WeightsCorrupt: the file is no ONNX model.
            ModelFailed: the runtime refuses it.
        """
        if not path.is_file():
            raise WeightsMissing(f"there is no model file {path}: run `tagging models pull`")
        self.path = path
        with _native_chatter() as chatter:
            ort = load_onnxruntime()
            wanted = _wanted_providers(options.provider, ort.get_available_providers())
            self._session = _create(ort, path, options, wanted)
        self.inputs: Mapping[str, tuple[int | str | None, ...]] = {
            i.name: tuple(i.shape) for i in self._session.get_inputs()
        }
        self.outputs = {o.name: tuple(o.shape) for o in self._session.get_outputs()}
        first = _PREFERENCE[options.provider][0] if options.provider != "auto" else wanted[0]
        self.fell_back = self.provider != first
        if self.fell_back:
            silent = "its libraries do not load" if first in wanted else "it is not in this build of ONNX Runtime"
            reason = chatter.reason() or silent
            logger.warning("%s runs on %s, not on %s: %s", path.name, self.provider, first, reason)

    @property
    def provider(self) -> str:
        """The provider ONNX Runtime gave this session, which may not be the one asked for."""
        return str(self._session.get_providers()[0])

    def run(self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> list[NDArray[Any]]:
        """Run the model.

        Args:
            feeds: input name to array, of the dtype and shape that :attr:`inputs` says.
            outputs: names of the outputs wanted; all of them, in the model's order, if ``None``.

        Raises:
            ModelFailed: the runtime refused the input or broke.
        """
        try:
            return [np.asarray(a) for a in self._session.run(outputs, dict(feeds))]
        except Exception as error:  # noqa: BLE001 - re-raised, translated where it is the runtime's
            _raise_typed(error, f"{self.path.name} failed")


class LazySession:
    """A session that is opened at first use, by whichever thread comes first."""

    def __init__(self, load: Callable[[], Session], session: Session | None = None) -> None:
        self._load = load
        self._session = session
        self._lock = threading.Lock()

    def get(self) -> Session:
        """The session; opens it if need be, and raises whatever opening raises."""
        with self._lock:
            if self._session is None:
                self._session = self._load()
            return self._session

    @property
    def provider(self) -> str:
        """Execution provider that really runs, or ``not loaded``."""
        return self._session.provider if self._session else NOT_LOADED


_cache: dict[tuple[Path, str, OnnxOptions], OnnxSession] = {}
_cache_lock = threading.Lock()


def open_session(path: Path, sha256: str, options: OnnxOptions = DEFAULT_OPTIONS) -> OnnxSession:
    """The process's warm session for these bytes and options; loads the model at most once.

    Args:
        path: the model file.
        sha256: of its bytes (or of what it was made from), so that a replaced file is loaded anew.
        options: provider and threads.

    Raises:
        WeightsMissing, WeightsCorrupt, ModelFailed: as :class:`OnnxSession`.
    """
    key = (path.absolute(), sha256, options)
    with _cache_lock:
        if key not in _cache:
            _cache[key] = OnnxSession(path, options)
        return _cache[key]


def close_sessions() -> None:
    """Forget all warm sessions; their memory goes with the last adapter that holds one."""
    with _cache_lock:
        _cache.clear()


def _wanted_providers(choice: Provider, available: Sequence[str]) -> list[str]:
    """Providers to try, best first. Without a GPU ``auto`` does not try CUDA: it takes time to fail, and noise."""
    wanted = [name for name in _PREFERENCE[choice] if name in available]
    if choice == "auto" and not _has_gpu():
        wanted = [_CPU]
    return wanted


def _has_gpu() -> bool:
    return any(True for pattern in _GPU_DEVICES for _ in Path("/dev").glob(pattern))


def _create(ort: Any, path: Path, options: OnnxOptions, wanted: Sequence[str]) -> Any:
    """The session on the best provider that can be had.

    ONNX Runtime's own fallback is off, as it prints to stdout, where programs read JSON.
    """
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    # Spinning threads burn the cores that decoding and the other sessions need: 5.6 images per CPU-second
    # with it, 8.6 without (YOLOv8n, two cores).
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = 3
    if wanted[0] != _CPU and _has_gpu():
        # CUDA's libraries may lie in Python packages, where the loader would not look.
        with redirect_stdout(sys.stderr):
            ort.preload_dlls()
    for start in range(len(wanted)):
        try:
            providers = [(name, _provider_options(name, path)) for name in wanted[start:]]
            return ort.InferenceSession(str(path), settings, providers=providers, enable_fallback=0)
        except Exception as error:  # noqa: BLE001 - re-raised typed, once no slower provider is left
            if start == len(wanted) - 1:
                _raise_typed(error, f"cannot load {path.name}")
    raise AssertionError("CPU is always wanted")


def _provider_options(name: str, path: Path) -> dict[str, str]:
    if name == _TENSORRT:
        # An engine takes minutes to build, so it is kept beside the model.
        return {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(path.parent / "tensorrt")}
    return {}


def load_onnxruntime() -> Any:
    """The module ``onnxruntime``, its telemetry off; the one place that imports it.

    From 1.31 on its builds for Linux tell the vendor about sessions too, unless told not to before they are loaded.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _raise_typed(error: Exception, what: str) -> NoReturn:
    """Translate an ONNX Runtime error; anything else (``MemoryError``, a bug of ours) passes as it is."""
    kind = ORT_ERRORS.get(type(error).__name__)
    if kind is None and isinstance(error, ValueError):
        # A missing input or an unknown output name is a plain ValueError of the Python layer.
        kind = ModelFailed
    if kind is None:
        raise error
    lines = str(error).strip().splitlines() or [type(error).__name__]
    hint = "" if kind is ModelFailed else "; run `tagging models verify`"
    raise kind(f"{what}: {lines[0]}{hint}") from error


class _Chatter:
    """What native code wrote to stderr."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def reason(self) -> str:
        """The first complaint, without ONNX Runtime's time stamp and colours."""
        for line in self.lines:
            if _ORT_LINE.search(line):
                message = _ORT_LINE.sub("", line).replace("\x1b[m", "").strip()
                return message.rpartition("with error: ")[2][:200]
        return ""


# 2026-01-31 12:00:00.000 [E:onnxruntime:Default, provider_bridge_ort.cc:2195 TryGetProviderInfo_CUDA] …
_ORT_LINE = re.compile(r"^.*?\[[VIWEF]:onnxruntime:[^\]]*\]")
# Such a line, or the colour reset that it leaves on a line of its own.
_NOISE = re.compile(rf"{_ORT_LINE.pattern}|^\x1b\[[\d;]*m$")
_stderr_lock = threading.Lock()


@contextmanager
def _native_chatter() -> Iterator[_Chatter]:
    """Keep ONNX Runtime's own log lines off stderr, and everybody else's on it.

    It complains past Python's ``sys.stderr`` that a machine has no GPU, so the file descriptor is pointed at a
    temporary file for the while. Lines that are not ONNX Runtime's, and all of them if an error escapes, are
    passed on at the end.
    """
    chatter = _Chatter()
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
