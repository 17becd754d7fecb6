"""What a model may run on: execution providers in the order they are tried, and the options each is given.

What does not belong here: sessions (``onnx_session``) and how they are fed (``onnx_binding``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Provider = Literal["auto", "cpu", "cuda", "tensorrt"]

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"

#: What each choice tries, best first. CPU always closes the list: a slow answer beats none, and is reported.
_PREFERENCE: Mapping[Provider, tuple[str, ...]] = {
    "auto": (CUDA, CPU),
    "cpu": (CPU,),
    "cuda": (CUDA, CPU),
    "tensorrt": (TENSORRT, CUDA, CPU),
}

# Device files of NVIDIA's driver on Linux, and of Windows' under WSL.
_GPU_DEVICES = ("nvidia[0-9]*", "dxg")

#: Pictures per run on a GPU where nobody says otherwise; what TensorRT's engines are built for.
GPU_BATCH = 32


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """How to run a model.

    Attributes:
        provider: ``auto`` takes CUDA where it works and the CPU elsewhere; ``tensorrt`` builds an engine per
            model first (minutes), so it is never chosen unasked.
        threads: intra-op threads on the CPU; 0 leaves it to ONNX Runtime (one per physical core).
        batch: pictures per run at most; 0 leaves it to ``inference``.
        spin: whether idle intra-op threads wait by spinning. Off by default: they burn the cores that decoding and
            the other sessions need (5.6 images per CPU-second with it, 8.6 without; YOLOv8n, two cores).
        callers: Python threads that may run the model at once on the CPU; 0 for as many as come.
        device: which GPU. A process uses one; several are used by as many processes, each started with its own
            ``CUDA_VISIBLE_DEVICES``, to which the number is relative.
        fp16: whether TensorRT may compute in half precision; CUDA takes the precision of the file.
    """

    provider: Provider = "auto"
    threads: int = 0
    batch: int = 0
    spin: bool = False
    callers: int = 0
    device: int = 0
    fp16: bool = False


def preferred(choice: Provider) -> str:
    """The provider that a choice is after on this machine; without a GPU, ``auto`` is after the CPU."""
    return CPU if choice == "auto" and not has_gpu() else _PREFERENCE[choice][0]


def wanted_providers(choice: Provider, available: Sequence[str]) -> list[str]:
    """Providers to try, best first. Without a GPU ``auto`` does not try CUDA: it takes time to fail, and noise.

    Args:
        choice: of the operator.
        available: in this build of ONNX Runtime.
    """
    if preferred(choice) == CPU:
        return [CPU]
    return [name for name in _PREFERENCE[choice] if name in available]


def has_gpu() -> bool:
    """Whether a GPU's device file is here; says nothing of whether it works."""
    return any(True for pattern in _GPU_DEVICES for _ in Path("/dev").glob(pattern))


def provider_options(name: str, options: OnnxOptions, path: Path, engines: Path) -> dict[str, str]:
    """What a provider is told.

    Args:
        name: of the provider.
        options: of the session.
        path: of the model.
        engines: folder for what TensorRT builds: minutes of work per model, so it is kept.
    """
    # Said only where it is not the first: it has ONNX Runtime look for plug-ins too, and warn that there are none.
    device = {"device_id": str(options.device)} if options.device else {}
    if name == TENSORRT:
        return {
            **device,
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(engines),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(engines),
            "trt_fp16_enable": "1" if options.fp16 else "0",
            **_profile(path, options.batch or GPU_BATCH),
        }
    if name == CUDA:
        return {
            **device,
            # The default tries every algorithm anew for each shape, and letterboxed photos come in dozens of shapes.
            "cudnn_conv_algo_search": "HEURISTIC",
            # Growing by powers of two, an arena that saw a large batch once holds up to twice what was ever needed.
            "arena_extend_strategy": "kSameAsRequested",
        }
    return {}


def _profile(path: Path, batch: int) -> dict[str, str]:
    """Shapes an engine is built for, of a model whose batch alone is free: otherwise each new batch size rebuilds it.

    Models that are free in height and width too get engines as their shapes come.
    """
    import onnx

    # TensorRT is told of every input or of none.
    inputs = onnx.load(str(path), load_external_data=False).graph.input
    shapes = {one.name: [dimension.dim_value for dimension in one.type.tensor_type.shape.dim] for one in inputs}
    if not all(shape and not shape[0] and all(shape[1:]) for shape in shapes.values()):
        return {}
    told = {}
    for kind, size in (("min", 1), ("opt", batch), ("max", batch)):
        said = [f"{name}:{'x'.join(map(str, (size, *shape[1:])))}" for name, shape in shapes.items()]
        told[f"trt_profile_{kind}_shapes"] = ",".join(said)
    return told
