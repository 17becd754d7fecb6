"""How fast the product is beside what people run today: same machine, same photos, same weights.

    python benchmarks/speed.py --photos DIR [--count 64] [--only NAME …] [--rounds 3] [--models DIR]
                               [--yolov8n MODEL.onnx] [--json OUT] [--markdown OUT] [--plot OUT]

Each contestant runs in a process of its own, which is warmed up with the first photos and then works through all of
them; wall clock, CPU seconds of all its threads, and its largest memory are taken. Rounds are interleaved: every
contestant of a contest once, then every one again. What counts are medians, and the ratio of each to the best of the
peers (of several batch sizes, the best one). Contests:

- ``detection``: YOLOv8n from JPEG files to boxes, beside ``ultralytics``' ``predict``, per photo and as a stream;
- ``detection-s``: the same with YOLOv8s and real weights;
- ``embedding``: ViT-B/32 beside open_clip in torch, batches of 1, 8, 32 and 64;
- ``classifier``: ResNet-50 beside timm's loop;
- ``landmarks``: beside MediaPipe with new landmarkers for each photo;
- ``wd``: a tagger of the WD contract beside the script that people use;
- ``proxies``: 12-megapixel JPEGs (made from the photos) to working copies, beside Pillow decoding every pixel.

Needs the extra ``export`` but for ``landmarks`` and ``proxies``. Models are made once (``speed_models.py``, which
says whose weights they have); contestants whose int8 file has not been made are left out and named. ``--markdown``
writes into the section ``speed`` of a document that has one, such as ``docs/performance.md``.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from speed_measuring import (
    HERE,
    Taken,
    ask,
    hashes,
    machine,
    machine_line,
    markdown_table,
    run,
    summed_up,
    write_section,
)

_EXTENSIONS = {".jpg", ".jpeg"}
_DEFAULT_MODELS = Path.home() / ".cache" / "tagging" / "benchmark-models"


@dataclass(frozen=True, slots=True)
class Contest:
    """Who competes over what.

    Attributes:
        peers: contestants of ``speed_peers.py``; the best of them is what ours are compared with.
        ours: contestants of ``speed_ours.py``.
        models: that have to be made first.
        large: whether photos of 12 megapixels are wanted.
        aims: wall-clock ratio to be reached, by contestant.
    """

    peers: tuple[str, ...]
    ours: tuple[str, ...]
    models: tuple[str, ...] = ()
    large: bool = False
    aims: Mapping[str, float] | None = None


CONTESTS: dict[str, Contest] = {
    "detection": Contest(
        ("ultralytics-yolov8n", "ultralytics-yolov8n-stream"),
        ("ours-yolov8n-fp32", "ours-yolov8n-int8"),
        ("yolov8n",),
        aims={"ours-yolov8n-fp32": 2.0, "ours-yolov8n-int8": 4.0},
    ),
    "detection-s": Contest(("ultralytics-yolov8s",), ("ours-yolov8s-fp32", "ours-yolov8s-int8"), ("yolov8s",)),
    "embedding": Contest(
        tuple(f"open_clip-batch-{size}" for size in (1, 8, 32, 64)),
        ("ours-vit-fp32", "ours-vit-int8"),
        ("vit-b-32",),
        aims={"ours-vit-fp32": 1.2, "ours-vit-int8": 2.0},
    ),
    "classifier": Contest(("timm-loop",), ("ours-timm-fp32", "ours-timm-int8"), ("resnet50",)),
    "landmarks": Contest(("mediapipe-naive",), ("ours-landmarks",)),
    "wd": Contest(("wd-script",), ("ours-wd-fp32", "ours-wd-int8"), ("wd-swinv2-tiny",)),
    "proxies": Contest(("pillow-full",), ("ours-proxies",), large=True, aims={"ours-proxies": 4.0}),
}


def large_photos(photos: Sequence[Path], folder: Path, count: int = 32) -> list[Path]:
    """JPEGs of 4000 by 3000 pixels: mosaics of the photos with the noise of a sensor, about as large as a phone's."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = np.random.default_rng(0)
    made = [folder / f"{number:02d}.jpg" for number in range(count)]
    for number, path in enumerate(made):
        if path.is_file():
            continue
        width, height = (3000, 4000) if number % 4 == 3 else (4000, 3000)
        mosaic = Image.new("RGB", (width, height))
        for place in range(12):
            with Image.open(photos[(12 * number + place) % len(photos)]) as photo:
                tile = photo.convert("RGB").resize((1000, 1000), Image.Resampling.BICUBIC)
            mosaic.paste(tile, (place % (width // 1000) * 1000, place // (width // 1000) * 1000))
        noisy = np.asarray(mosaic, np.int16) + dice.normal(0, 3, (height, width, 1)).astype(np.int16)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return made


def has_model(models: Path, contestant: str, contest: Contest) -> bool:
    """Whether the file that a contestant needs has been made."""
    from speed_models import in_use

    if not contest.models or not contestant.startswith("ours"):
        return True
    model = in_use(models, contest.models[0], contestant.rpartition("-")[2])
    return model.notes is not None if model.is_derived else True


def hold(contest: Contest, photos: Sequence[Path], options: argparse.Namespace) -> dict[str, Any]:
    """Interleaved rounds of one contest."""
    entrants = [*contest.peers, *contest.ours]
    absent = [one for one in entrants if not has_model(options.models, one, contest)]
    rounds: dict[str, list[Taken]] = {one: [] for one in entrants if one not in absent}
    for number in range(options.rounds):
        for one, taken in rounds.items():
            script = HERE / ("speed_ours.py" if one.startswith("ours") else "speed_peers.py")
            taken.append(Taken(**ask(script, one, str(options.models), *map(str, photos))))
            rate = taken[-1].images / taken[-1].seconds
            print(f"round {number + 1}: {one} {rate:.1f} images/s", file=sys.stderr, flush=True)
    found = {one: summed_up(taken) for one, taken in rounds.items()}
    best = max((one for one in contest.peers if one in found), key=lambda one: found[one]["images_per_second"])
    thrifty = max((one for one in contest.peers if one in found), key=lambda one: found[one]["images_per_cpu_second"])
    for one, told in found.items():
        told["wall_ratio"] = told["images_per_second"] / found[best]["images_per_second"]
        told["cpu_ratio"] = told["images_per_cpu_second"] / found[thrifty]["images_per_cpu_second"]
        told["wall_ratio_by_round"] = [
            mine.images / mine.seconds / (theirs.images / theirs.seconds)
            for mine, theirs in zip(rounds[one], rounds[best], strict=True)
        ]
    return {
        "best_peer": best,
        "best_peer_by_cpu": thrifty,
        "absent": absent,
        "aims": dict(contest.aims or {}),
        "contestants": found,
    }


def markdown(told: Mapping[str, Any]) -> str:
    """The figures as a document's sections."""
    parts = []
    for name, contest in told["contests"].items():
        rows = [
            (
                one,
                f"{said['images_per_second']:.1f}",
                f"{said['wall_ratio']:.2f}",
                contest["aims"].get(one, ""),
                f"{said['images_per_cpu_second']:.1f}",
                f"{said['cpu_ratio']:.2f}",
                f"{said['peak_mib']:.0f}",
                said["note"],
            )
            for one, said in contest["contestants"].items()
        ]
        columns = ("contestant", "images/s", "ratio", "aim", "images/CPU-s", "ratio", "peak MiB", "note")
        absent = f"\n\nNot made, so left out: {', '.join(contest['absent'])}." if contest["absent"] else ""
        weights = [f"{model}: {told['weights'].get(model, '')}" for model in CONTESTS[name].models]
        about = f"Weights: {'; '.join(weights)}.\n\n" if weights else ""
        parts.append(f"### {name}\n\n{about}{markdown_table(columns, rows)}{absent}\n")
    head = f"{told['rounds']} interleaved rounds, medians. Machine: {machine_line(told['machine'])}.\n"
    return "\n".join([head, *parts])


def plot(told: Mapping[str, Any], target: Path) -> None:
    """Wall-clock ratios to the best peer of each contest."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    bars = [
        (f"{name}: {one}", said["wall_ratio"], min(said["wall_ratio_by_round"]), max(said["wall_ratio_by_round"]))
        for name, contest in told["contests"].items()
        for one, said in contest["contestants"].items()
        if one.startswith("ours")
    ]
    figure, axes = plt.subplots(figsize=(8, 0.4 * len(bars) + 1.4), layout="constrained")
    labels, ratios = [bar[0] for bar in bars], [bar[1] for bar in bars]
    spread = np.array([[max(0.0, ratio - low), max(0.0, high - ratio)] for _, ratio, low, high in bars]).T
    axes.barh(labels, ratios, xerr=spread, color="#1b6e47", ecolor="#8a4b00", capsize=3)
    axes.axvline(1, color="#1d2126", linewidth=1)
    axes.invert_yaxis()
    axes.set_xlabel("times as fast as the best peer (wall clock; whiskers: rounds)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, dpi=110)
    plt.close(figure)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All contests that were asked for."""
    photos = sorted(path for path in options.photos.rglob("*") if path.suffix.lower() in _EXTENSIONS)[: options.count]
    if not photos:
        raise SystemExit(f"there is no JPEG in {options.photos}; name a folder with photos")
    chosen = options.only or list(CONTESTS)
    before = machine()
    weights: dict[str, str] = {}
    if any(CONTESTS[name].models for name in chosen):
        from speed_models import weights_said

        arguments = ["--photos", str(options.photos)]
        arguments += ["--yolov8n", str(options.yolov8n)] if options.yolov8n else []
        run(HERE / "speed_models.py", str(options.models), *arguments)
        weights = weights_said(options.models)
    contests = {}
    for name in chosen:
        contest = CONTESTS[name]
        used = large_photos(photos, options.models / "large") if contest.large else photos
        contests[name] = hold(contest, used, options)
    return {
        "machine": before,
        "rounds": options.rounds,
        "photos": len(photos),
        "weights": weights,
        "model_files": hashes(options.models, (".pt", ".onnx")) if weights else {},
        "contests": contests,
    }


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder with JPEG files")
    parser.add_argument("--count", type=int, default=64, help="photos at most")
    parser.add_argument("--only", nargs="+", choices=list(CONTESTS), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=Path, default=_DEFAULT_MODELS, help="where models to measure are kept")
    parser.add_argument("--yolov8n", type=Path, help="an ONNX export of YOLOv8n with real weights, for real boxes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    told = measure(options)
    print(markdown(told))
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        write_section(options.markdown, "speed", markdown(told))
    if options.plot:
        plot(told, options.plot)


if __name__ == "__main__":
    main()
