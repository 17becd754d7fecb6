"""How much of a run is the models' own time: bare model seconds over seconds of the whole line through Dagster.

    python benchmarks/pipeline.py PHOTOS [--count 256] [--provider cpu] [--settings FILE] [--chat]
                                  [--json OUT] [--markdown OUT] [--plot OUT] [--keep FOLDER]

``PHOTOS`` is a folder. Where it has fewer photos than ``--count``, mirror images of them make up the number: copies
of one photo would share their rows. The photos go through the product's own Dagster job in a fresh project
(``pipeline_line.py``), as ``tagging run`` does it; then, in another process, every call that the stages make to a
model is made again, with the very same inputs, and nothing around it (``pipeline_bare.py``): the sum is the bare
model time. ``--chat`` adds the chat model, which is off otherwise; its bare time is what its own server took.

Efficiency is the bare time over the time of the Dagster job. Start-up (imports, Postgres, looking through the folder)
is told beside it: it does not grow with the photos. On a GPU the share of time in which it was busy is told as well.
``--markdown`` writes into the section ``pipeline-PROVIDER`` (``-chat``) of a document that has one.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, ImageOps
from speed_measuring import HERE, ask, machine, machine_line, markdown_table, write_section

#: What the benchmark is to reach, by the project's own aim.
GOAL = 0.85
_EXTENSIONS = {".jpg", ".jpeg", ".png", ".webp"}
_ROOT = HERE.parent


def prepare_photos(source: Path, target: Path, count: int) -> int:
    """Distinct photos: those of a folder, then their mirror images, then both upside down.

    Returns:
        How many there are; fewer than asked for where even that is not enough.

    Raises:
        SystemExit: there is no photo.
    """
    target.mkdir(parents=True)
    photos = sorted(path for path in source.rglob("*") if path.suffix.lower() in _EXTENSIONS)
    if not photos:
        raise SystemExit(f"there is no photo in {source}; name a folder with JPEG files")
    ways = {
        "": None,
        "mirror": ImageOps.mirror,
        "flip": ImageOps.flip,
        "turn": lambda one: ImageOps.mirror(ImageOps.flip(one)),
    }
    made = 0
    for name, turned in ways.items():
        for path in photos[: count - made]:
            if turned is None:
                shutil.copyfile(path, target / f"{made:05d}{path.suffix.lower()}")
            else:
                with Image.open(path) as image:
                    upright = ImageOps.exif_transpose(image).convert("RGB")
                turned(upright).save(target / f"{made:05d}-{name}.jpg", quality=92)
            made += 1
    return made


def write_settings(folder: Path, base: Path, options: argparse.Namespace) -> Path:
    """A project of its own, with the settings of another."""
    settings = {
        "extends": str(base),
        "data_dir": str(folder / "data"),
        "sources": [],
        "images": {"batch_size": max(1000, options.count), "settle_seconds": 0},
        "inference": {"provider": options.provider},
        "llm": {"enabled": options.chat},
    }
    path = folder / "tagging.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run the line, then the models alone."""
    count = prepare_photos(options.photos, folder / "photos", options.count)
    settings = write_settings(folder, options.settings.resolve(), options)
    before = machine()
    line = ask(HERE / "pipeline_line.py", str(settings), str(folder / "photos"))
    bare = ask(HERE / "pipeline_bare.py", str(settings))
    total = sum(one["seconds"] for one in bare["stages"].values())
    return {
        "machine": before,
        "photos": count,
        "chat": options.chat,
        "provider": options.provider,
        "models": bare["models"],
        "line": line,
        "bare": bare,
        "bare_seconds": total,
        "efficiency_by_cpu": sum(one["cpu_seconds"] for one in bare["stages"].values()) / line["job_cpu_seconds"],
        "efficiency": total / line["job_seconds"],
        "efficiency_with_start": total / line["command_seconds"],
        "images_per_second": count / line["job_seconds"],
        "bare_images_per_second": count / total if total else 0.0,
        "goal": GOAL,
    }


def markdown(told: Mapping[str, Any]) -> str:
    """The figures as a document's section."""
    line, bare = told["line"], told["bare"]["stages"]
    start = line["command_seconds"] - line["job_seconds"]
    head = (
        f"{told['photos']} photos, chat model {'on' if told['chat'] else 'off'}, provider {told['provider']}: "
        f"{told['images_per_second']:.2f} images/s through Dagster, {told['bare_images_per_second']:.2f} by the models "
        f"alone; efficiency **{told['efficiency']:.3f}** (goal {told['goal']:.2f}), by CPU seconds "
        f"{told['efficiency_by_cpu']:.3f}. Start-up and looking through the folder take {start:.1f} s more."
    )
    if line["gpu_busy"] is not None:
        head += f" The GPU was busy for {line['gpu_busy']:.0%} of the job."
    rows = [
        _row(stage, seconds, line["stages_cpu"][stage], bare.get(stage)) for stage, seconds in line["stages"].items()
    ]
    between = line["job_seconds"] - sum(line["stages"].values())
    rows.append(
        _row("between: Dagster, checks, pictures", between, line["job_cpu_seconds"] - sum(line["stages_cpu"].values()))
    )
    total = {name: sum(one[name] for one in bare.values()) for name in ("seconds", "cpu_seconds", "calls")}
    rows.append(_row("**the job**", line["job_seconds"], line["job_cpu_seconds"], total))
    columns = ("stage", "seconds", "models alone", "share", "calls", "CPU seconds", "models alone")
    models = ", ".join(f"{task} {name}" for task, name in told["models"].items())
    return "\n\n".join(
        [head, markdown_table(columns, rows), f"Models: {models}.", f"Machine: {machine_line(told['machine'])}.\n"]
    )


def _row(name: str, seconds: float, cpu: float, bare: Mapping[str, float] | None = None) -> tuple[object, ...]:
    if bare is None:
        return (name, f"{seconds:.2f}", "", "", "", f"{cpu:.2f}", "")
    share = f"{bare['seconds'] / seconds:.2f}" if seconds else ""
    alone = f"{bare['cpu_seconds']:.2f}"
    return (name, f"{seconds:.2f}", f"{bare['seconds']:.2f}", share, bare["calls"], f"{cpu:.2f}", alone)


def plot(told: Mapping[str, Any], target: Path) -> None:
    """Seconds per stage, and how much of them is the model's."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    stages, bare = told["line"]["stages"], told["bare"]["stages"]
    shown = [name for name, seconds in stages.items() if seconds >= 0.01 * told["line"]["job_seconds"]]
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(shown) + 1.6), layout="constrained")
    axes.barh(shown, [stages[name] for name in shown], color="#cfd6de", label="stage")
    axes.barh(
        shown,
        [bare.get(name, {"seconds": 0})["seconds"] for name in shown],
        color="#1b6e47",
        height=0.5,
        label="model alone",
    )
    axes.invert_yaxis()
    axes.set_xlabel(f"seconds for {told['photos']} photos; efficiency {told['efficiency']:.2f}")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, dpi=110)
    plt.close(figure)


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--provider", default="cpu", choices=["cpu", "cuda", "tensorrt", "auto"])
    parser.add_argument(
        "--settings", type=Path, default=_ROOT / "tagging.yaml", help="models and knobs are taken from it"
    )
    parser.add_argument("--chat", action="store_true", help="ask the chat model too")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--keep", type=Path, help="an empty folder for the project, which is then not taken away")
    options = parser.parse_args()
    os.environ.pop("TAGGING_DATABASE_URL", None)  # the benchmark makes a database of its own, and drops it
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        told = measure(options.keep or Path(folder), options)
    print(markdown(told))
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        chat = "-chat" if options.chat else ""
        write_section(options.markdown, f"pipeline-{options.provider}{chat}", markdown(told))
    if options.plot:
        plot(told, options.plot)


if __name__ == "__main__":
    main()
