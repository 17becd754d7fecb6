"""One ONNX Runtime session class for all inference: a loaded model, warm for the process, its errors typed.

What does not belong here: what goes into a model or comes out of it (the adapters beside this module know that), what
it may run on (``onnx_providers``) and the library itself (``onnx_runtime``).
"""

import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from resources.onnx_binding import Binding, Buffers, pinned_memory
from resources.onnx_providers import CPU, TENSORRT, has_gpu, preferred, provider_options, wanted_providers
from resources.onnx_providers import OnnxOptions as OnnxOptions
from resources.onnx_providers import Provider as Provider
from resources.onnx_runtime import first_line, native_chatter, preload_tensorrt, raise_typed
from resources.onnx_runtime import load_onnxruntime as load_onnxruntime
from resources.processor import bytes_may_saturate
from tagging_assets.domain.errors import WeightsMissing

logger = logging.getLogger(__name__)

#: What :attr:`OnnxSession.provider` and the adapters say before anything is loaded.
NOT_LOADED = "not loaded"


class Session(Protocol):
    """What an adapter needs of a session; tests inject fakes of this shape."""

    @property
    def inputs(self) -> Mapping[str, tuple[int | str | None, ...]]:
        """Input name to shape; free dimensions are strings or ``None``."""
        ...

    @property
    def types(self) -> Mapping[str, str]:
        """Input name to element type, as ONNX Runtime says it: ``tensor(float)``."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the model file says about itself, all texts."""
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
        sha256: of the file, where it was told.
        options: it was opened with.
        inputs: input name to shape; free dimensions are strings.
        types: input name to element type, as ONNX Runtime says it: ``tensor(float)``.
        outputs: output name to shape.
        metadata: what the file says about itself, all texts.
        provider: that ONNX Runtime gave this session, with what was wanted, and why it was not to be had, where it is
            another: ``CPUExecutionProvider (wanted CUDAExecutionProvider: no CUDA-capable device)``. Where some of the
            model runs on the CPU beside it, that is said too.
        fell_back: whether a slower provider runs than the one chosen.
    """

    def __init__(self, path: Path, options: OnnxOptions = DEFAULT_OPTIONS, *, sha256: str = "") -> None:
        """Load the model.

        Args:
            path: of the model.
            options: how to run it.
            sha256: of the file; part of the place where TensorRT's engines are kept.

        Raises:
            WeightsMissing: there is no such file.
            WeightsCorrupt: the file is no ONNX model.
            ModelFailed: the runtime refuses it.
        """
        if not path.is_file():
            raise WeightsMissing(f"there is no model file {path}: run `tagging models pull`")
        self.path = path
        self.sha256 = sha256
        self.options = options
        with native_chatter() as chatter:
            ort = load_onnxruntime()
            wanted = wanted_providers(options.provider, ort.get_available_providers())
            self._session, refusal = _create(ort, path, options, wanted, sha256=sha256)
        self.inputs: Mapping[str, tuple[int | str | None, ...]] = {
            i.name: tuple(i.shape) for i in self._session.get_inputs()
        }
        self.types: Mapping[str, str] = {i.name: i.type for i in self._session.get_inputs()}
        self.outputs = {o.name: tuple(o.shape) for o in self._session.get_outputs()}
        self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        first, runs = preferred(options.provider), str(self._session.get_providers()[0])
        self.fell_back = runs != first
        self.provider = runs
        if self.fell_back:
            silent = "its libraries do not load" if first in wanted else "it is not in this build of ONNX Runtime"
            reason = chatter.reason() or refusal or silent
            logger.warning("%s runs on %s, not on %s: %s", path.name, runs, first, reason)
            self.provider = f"{runs} (wanted {first}: {reason})"
        self._buffers: Buffers | None = None
        if runs != CPU:
            self.provider += _beside(self._session, runs)
            self._buffers = Buffers(pinned_memory(ort.cuda_version))
            self._binding = Binding(self._session, self._buffers)

    def room(self, shape: Sequence[int], dtype: DTypeLike) -> AbstractContextManager[NDArray[Any]]:
        """Uninitialised memory to make an input in, the kind that the provider reads fastest; lent, not given."""
        if self._buffers is None:
            return nullcontext(np.empty(tuple(shape), dtype=dtype))
        return self._buffers.lent(shape, dtype)

    def run(self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> list[NDArray[Any]]:
        """Run the model.

        Args:
            feeds: input name to array, of the dtype and shape that :attr:`inputs` says.
            outputs: names of the outputs wanted; all of them, in the model's order, if ``None``.

        Raises:
            ModelFailed: the runtime refused the input or broke.
        """
        try:
            if self._buffers is not None:
                return self._binding.run(feeds, outputs or list(self.outputs))
            return [np.asarray(a) for a in self._session.run(outputs, dict(feeds))]
        except Exception as error:  # noqa: BLE001 - re-raised, translated where it is the runtime's
            raise_typed(error, f"{self.path.name} failed")


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
        options: how to run it.

    Raises:
        WeightsMissing, WeightsCorrupt, ModelFailed: as :class:`OnnxSession`.
    """
    key = (path.absolute(), sha256, options)
    with _cache_lock:
        if key not in _cache:
            _cache[key] = OnnxSession(path, options, sha256=sha256)
        return _cache[key]


def warm_sessions() -> list[OnnxSession]:
    """What this process has open, in the order it was opened."""
    with _cache_lock:
        return list(_cache.values())


def close_sessions() -> None:
    """Forget all warm sessions; their memory goes with the last adapter that holds one."""
    with _cache_lock:
        _cache.clear()


def _create(ort: Any, path: Path, options: OnnxOptions, wanted: Sequence[str], *, sha256: str = "") -> tuple[Any, str]:
    """The session on the best provider that can be had, and why a better one refused; ``""`` where none did.

    ONNX Runtime's own fallback is off, as it prints to stdout, where programs read JSON.
    """
    if wanted[0] != CPU and has_gpu():
        # CUDA's libraries may lie in Python packages, where the loader would not look.
        with redirect_stdout(sys.stderr):
            ort.preload_dlls()
            if TENSORRT in wanted:
                preload_tensorrt()
    settings = _session_options(ort, options, on_cpu=wanted[0] == CPU)
    # By what the engines depend on; the GPU's generation is in TensorRT's own file names.
    engines = path.parent / "tensorrt" / f"{sha256[:12] or path.stem}-{ort.__version__}"
    refusal = ""
    for start in range(len(wanted)):
        try:
            providers = [(name, provider_options(name, options, path, engines)) for name in wanted[start:]]
            return ort.InferenceSession(str(path), settings, providers=providers, enable_fallback=0), refusal
        except Exception as error:  # noqa: BLE001 - re-raised typed, once no slower provider is left
            if start == len(wanted) - 1:
                raise_typed(error, f"cannot load {path.name}")
            refusal = refusal or first_line(error)[:200]
    raise AssertionError("CPU is always wanted")


def _session_options(ort: Any, options: OnnxOptions, *, on_cpu: bool) -> Any:
    # All else is left as it is, measured on EfficientNet-Lite0 and YOLOv8s: lower levels of graph optimisation cost
    # 1.2 to 2.4 times the CPU time, going without an arena up to 1.2 times; memory patterns, denormals as zero and
    # pre-packing change nothing. Loading takes 0.02 to 0.15 s, so the optimised graph is not worth keeping.
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.add_session_config_entry("session.intra_op.allow_spinning", "1" if options.spin else "0")
    if bytes_may_saturate():
        # An exact way through int8, at half the speed: with VNNI the fast one is exact, too.
        settings.add_session_config_entry("session.x64quantprecision", "1")
    settings.log_severity_level = 3
    if not on_cpu:
        # To tell how much of the model really runs on the GPU; costs nothing after loading.
        settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return settings


def _beside(session: Any, runs: str) -> str:
    """How much of a model is left to other providers than the first; ``""`` for nothing."""
    nodes: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        nodes[part.ep_name] += len(part.get_nodes())
    others = {name: count for name, count in nodes.items() if name != runs}
    told = ", ".join(f"{count} on {name}" for name, count in others.items())
    return f" (of {nodes.total()} nodes {told})" if told else ""
