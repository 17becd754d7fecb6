import logging
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from resources.onnx_providers import CPU as ON_CPU
from resources.onnx_providers import CUDA, TENSORRT, has_gpu, provider_options
from resources.onnx_runtime import ORT_ERRORS, load_onnxruntime
from resources.onnx_session import (
    NOT_LOADED,
    LazySession,
    OnnxOptions,
    OnnxSession,
    _create,
    close_sessions,
    open_session,
)
from tagging_assets.domain.errors import ModelError, ModelFailed, WeightsCorrupt, WeightsMissing

state = load_onnxruntime().capi.onnxruntime_pybind11_state
REPOSITORY = Path(__file__).parents[2]
CPU = OnnxOptions(provider="cpu", threads=1)
FEEDS = {"x": np.array([[1.0, 2.0]], dtype=np.float32)}


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    """A model that adds its input ``x`` (n, 2) to itself."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "doubler", [x], [y])
    path = tmp_path / "doubler.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_session_tells_what_it_is_and_runs(doubler: Path) -> None:
    session = OnnxSession(doubler, CPU)
    assert session.provider == "CPUExecutionProvider"
    assert not session.fell_back
    assert session.inputs == {"x": ("n", 2)}
    assert session.outputs == {"y": ("n", 2)}
    assert session.run(FEEDS)[0].tolist() == [[2.0, 4.0]]
    assert session.run(FEEDS, ["y"])[0].tolist() == [[2.0, 4.0]]


def test_every_error_class_of_the_runtime_is_mapped() -> None:
    classes = {
        name
        for name in dir(state)
        if isinstance(getattr(state, name), type) and issubclass(getattr(state, name), Exception)
    }
    assert classes == set(ORT_ERRORS)
    assert all(issubclass(kind, ModelError) for kind in ORT_ERRORS.values())


@pytest.mark.parametrize(
    ("feeds", "outputs"),
    [
        ({}, None),  # no input
        ({"z": FEEDS["x"]}, None),  # an unknown one
        ({"x": np.zeros((1, 3), dtype=np.float32)}, None),  # of another shape
        ({"x": np.zeros((1, 2), dtype=np.float64)}, None),  # of another type
        (FEEDS, ["z"]),  # an unknown output
    ],
)
def test_wrong_use_fails_typed(doubler: Path, feeds: dict[str, np.ndarray], outputs: list[str] | None) -> None:
    with pytest.raises(ModelFailed, match=r"doubler\.onnx failed: .") as caught:
        OnnxSession(doubler, CPU).run(feeds, outputs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, WeightsMissing),  # no file
        (b"<html>", WeightsCorrupt),  # no model
        (b"", ModelError),  # nothing
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes | None, error: type[Exception]) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=r"model\.onnx"):
        OnnxSession(path, CPU)


@pytest.mark.skipif(has_gpu(), reason="there is a GPU to run on")
def test_a_fallback_is_reported(doubler: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        session = OnnxSession(doubler, OnnxOptions(provider="cuda"))
    assert session.provider.startswith("CPUExecutionProvider (wanted CUDAExecutionProvider: ")
    assert session.fell_back
    assert "runs on CPUExecutionProvider, not on CUDAExecutionProvider" in caplog.text
    built = "CUDAExecutionProvider" in load_onnxruntime().get_available_providers()
    assert ("not in this build" in caplog.text) != built
    assert session.run(FEEDS)[0].tolist() == [[2.0, 4.0]]


class RefusingRuntime:
    """A runtime that makes no session but on the CPU, and remembers what it was asked for."""

    SessionOptions = state.SessionOptions
    __version__ = "1.31"

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, dict[str, str]]]] = []

    def preload_dlls(self) -> None:
        """Nothing to load."""

    def InferenceSession(
        self, path: str, _settings: object, *, providers: list[tuple[str, dict[str, str]]], enable_fallback: int
    ) -> str:
        assert not enable_fallback
        self.asked.append(providers)
        if len(providers) > 1:
            raise state.Fail("no such device")
        return path


def test_slower_providers_are_tried_in_turn_and_the_first_refusal_is_told(doubler: Path) -> None:
    runtime = RefusingRuntime()
    wanted = [TENSORRT, CUDA, ON_CPU]
    made, refusal = _create(runtime, doubler, OnnxOptions(provider="tensorrt"), wanted)
    assert made == str(doubler)
    assert refusal == "no such device"
    assert [[name for name, _ in providers] for providers in runtime.asked] == [wanted, wanted[1:], wanted[2:]]


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        # the CPU needs no telling
        (ON_CPU, OnnxOptions(device=1), {}),
        # shapes come by the dozen: no search for the best algorithm each time, and an arena of what is needed
        (
            CUDA,
            OnnxOptions(device=1),
            {"device_id": "1", "cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"},
        ),
        # engines are kept, for every size of batch; full precision unless it is asked for
        (
            TENSORRT,
            OnnxOptions(batch=8),
            {
                "trt_engine_cache_enable": "1",
                "trt_engine_cache_path": "engines",
                "trt_timing_cache_enable": "1",
                "trt_timing_cache_path": "engines",
                "trt_fp16_enable": "0",
                "trt_profile_min_shapes": "x:1x2",
                "trt_profile_opt_shapes": "x:8x2",
                "trt_profile_max_shapes": "x:8x2",
            },
        ),
    ],
)
def test_what_providers_are_told(doubler: Path, name: str, options: OnnxOptions, told: dict[str, str]) -> None:
    assert provider_options(name, options, doubler, Path("engines")) == told


def test_tensorrt_computes_in_half_precision_only_where_it_is_asked_to(doubler: Path) -> None:
    told = provider_options(TENSORRT, OnnxOptions(fp16=True), doubler, Path("engines"))
    assert told["trt_fp16_enable"] == "1"


@pytest.mark.skipif(has_gpu(), reason="there is a GPU to run on")
def test_without_a_gpu_auto_is_the_cpu_and_no_fallback(doubler: Path) -> None:
    assert not OnnxSession(doubler).fell_back


_NOISE = """
import logging, os, sys, threading
from pathlib import Path
from resources.onnx_session import OnnxOptions, OnnxSession
logging.disable()
OnnxSession(Path(sys.argv[1]), OnnxOptions(provider=sys.argv[2]))
"""


@pytest.mark.parametrize("provider", ["auto", "cpu", "cuda", "tensorrt"])
def test_no_noise_on_the_terminal(doubler: Path, provider: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _NOISE, str(doubler), provider], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert done.stderr == ""


def test_sessions_are_warm_per_bytes_and_options(doubler: Path) -> None:
    close_sessions()
    first = open_session(doubler, "a", CPU)
    assert open_session(doubler, "a", CPU) is first
    assert open_session(doubler, "b", CPU) is not first
    assert open_session(doubler, "a", OnnxOptions(provider="cpu", threads=2)) is not first
    close_sessions()
    assert open_session(doubler, "a", CPU) is not first


def test_threads_share_one_session(doubler: Path) -> None:
    close_sessions()
    opened = []
    threads = [threading.Thread(target=lambda: opened.append(open_session(doubler, "a", CPU))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(session) for session in opened}) == 1


def test_lazy_sessions_load_once_at_first_use(doubler: Path) -> None:
    loads = []

    def load() -> OnnxSession:
        loads.append(doubler)
        return OnnxSession(doubler, CPU)

    lazy = LazySession(load)
    assert lazy.provider == NOT_LOADED
    assert lazy.get() is lazy.get()
    assert lazy.provider == "CPUExecutionProvider"
    assert len(loads) == 1


def test_an_injected_session_is_never_loaded(doubler: Path) -> None:
    session = OnnxSession(doubler, CPU)
    assert LazySession(lambda: pytest.fail("loads"), session).get() is session


_OTHERS = """
import os, sys
from pathlib import Path
from resources.onnx_runtime import native_chatter
with native_chatter() as chatter:
    os.write(2, b"2026-01-31 12:00:00.0 [E:onnxruntime:Default, x.cc:1 F] no such library\\n")
    os.write(2, b"the disk is on fire\\n")
print(chatter.reason())
try:
    with native_chatter():
        os.write(2, b"2026-01-31 12:00:00.0 [E:onnxruntime:Default, x.cc:1 F] the model is odd\\n")
        raise RuntimeError
except RuntimeError:
    pass
"""


def test_only_the_runtimes_own_lines_are_kept_back_and_none_when_it_fails() -> None:
    done = subprocess.run([sys.executable, "-c", _OTHERS], capture_output=True, text=True, check=True)
    assert done.stdout == "no such library\n"
    assert "the disk is on fire" in done.stderr
    assert "no such library" not in done.stderr
    assert "the model is odd" in done.stderr


def test_only_one_place_loads_the_runtime_so_that_telemetry_is_off_everywhere():
    folders = (REPOSITORY / name for name in ("resources", "sensors", "tagging_assets", "benchmarks"))
    sources = {path.name: path.read_text() for folder in folders for path in folder.rglob("*.py")}
    importing = {
        name
        for name, text in sources.items()
        if any(line.strip().startswith("import onnxruntime") for line in text.splitlines())
    }
    assert importing <= {"onnx_runtime.py"}
    # Parts of it that are no part of the module itself load it too: after the one place has.
    parts = {name for name, text in sources.items() if "from onnxruntime" in text}
    assert all("load_onnxruntime()" in sources[name] for name in parts)
    said = (
        "import os; from resources.onnx_runtime import load_onnxruntime; load_onnxruntime(); "
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    answer = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert answer.stdout.strip() == "1"
