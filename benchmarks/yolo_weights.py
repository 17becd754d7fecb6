"""Real YOLO weights for ultralytics where its own cannot be downloaded: taken out of ONNX files that are at hand.

    python benchmarks/yolo_weights.py MODEL.onnx yolov8s CHECKPOINT.pt

Exports keep the names of their convolutions, batch norms folded into them. Each is put back into the untrained
network of the same architecture, its batch norm set to change nothing but the bias, so the checkpoint is one as
ultralytics itself would save, and gives the same boxes as the ONNX file. Needs the extra ``export``.

The embedded ``person-yolov8s`` is a YOLOv8s; a YOLOv8n quantised by ONNX Runtime (``quantize_dynamic``) serves as
well: its weights are turned back into floats, which only rounding keeps from those that it was made from.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[np.float32]]

_QUANTISED = "_quantized"


def weights_of(onnx_file: Path) -> Weights:
    """Weights and biases of an export's convolutions, by the names that ultralytics gave them."""
    import onnx
    from onnx import numpy_helper

    known = {one.name: one for one in onnx.load(onnx_file).graph.initializer}
    found: Weights = {}
    for name, tensor in known.items():
        if name.startswith("model.") and name.endswith((".weight", ".bias")):
            found[name] = numpy_helper.to_array(tensor).astype(np.float32)
        elif name.startswith("model.") and name.endswith(_QUANTISED):
            whole = name.removesuffix(_QUANTISED)
            zero, scale = (numpy_helper.to_array(known[f"{whole}{end}"]) for end in ("_zero_point", "_scale"))
            found[whole] = (numpy_helper.to_array(tensor).astype(np.float32) - zero.astype(np.float32)) * scale
    return found


def names_of(onnx_file: Path) -> dict[int, str]:
    """Class names of an export."""
    import ast

    import onnx

    said = {one.key: one.value for one in onnx.load(onnx_file, load_external_data=False).metadata_props}
    return {int(number): str(name) for number, name in ast.literal_eval(said["names"]).items()}


def restored(weights: Weights, names: dict[int, str], architecture: str) -> Any:
    """An ultralytics model with these weights.

    Args:
        weights: of every convolution.
        names: of its classes.
        architecture: ultralytics' name for it, such as ``yolov8s``.

    Raises:
        ValueError: the weights are those of another architecture.
    """
    import torch
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel(f"{architecture}.yaml", nc=len(names), verbose=False)
    model.names = names
    state = model.state_dict()
    used: set[str] = set()
    for name in state:
        whole = name.removesuffix("bn.bias") + "conv.bias" if name.endswith(".bn.bias") else name
        if whole in weights:
            if state[name].shape != weights[whole].shape:
                raise ValueError(f"{whole} is {weights[whole].shape}, and {tuple(state[name].shape)} in {architecture}")
            state[name] = torch.from_numpy(weights[whole].copy())
            used.add(whole)
        elif name.endswith(".bn.running_mean"):
            state[name] = torch.zeros_like(state[name])
        elif name.endswith((".bn.running_var", ".bn.weight")):
            state[name] = torch.ones_like(state[name])
    missing = {name for name in state if name.endswith("conv.weight") and name not in used and ".dfl." not in name}
    if missing or used != set(weights) - {"model.22.dfl.conv.weight"} | (used & {"model.22.dfl.conv.weight"}):
        raise ValueError(f"these are no weights of {architecture}: {sorted(missing or set(weights) - used)[:3]} …")
    model.load_state_dict(state)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # So that dividing by the root of variance and epsilon changes nothing.
            module.weight.data.fill_(float(np.sqrt(1 + module.eps)))
    return model.eval()


def save_checkpoint(onnx_file: Path, architecture: str, target: Path) -> Path:
    """Write a checkpoint that ``ultralytics.YOLO`` loads.

    Raises:
        ValueError: the file is of another architecture.
    """
    import torch

    model = restored(weights_of(onnx_file), names_of(onnx_file), architecture)
    model.args = {"imgsz": 640, "task": "detect", "model": f"{architecture}.pt"}
    model.task = "detect"
    torch.save({"model": model, "train_args": model.args, "epoch": -1}, target)
    return target


def main() -> None:
    """Restore and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="ONNX file with the weights")
    parser.add_argument("architecture", help="ultralytics' name for it, such as yolov8s")
    parser.add_argument("checkpoint", type=Path, help="file to write")
    options = parser.parse_args()
    print(save_checkpoint(options.model, options.architecture, options.checkpoint))


if __name__ == "__main__":
    main()
