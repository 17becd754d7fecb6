"""How right published tags are on COCO photos: person present, and micro-averaged F1 over the 80 names.

    tagging tags PHOTOS --json > tags.json
    python benchmarks/coco_tags.py COCO_DIR tags.json

``COCO_DIR`` holds ``labels/*.txt`` (YOLO format: class and box, one per line) and ``coco.names``. Photos without a
label file are counted as having nothing in them. Printed once for all kept tags and once for those that need no review.
"""

import argparse
import json
from pathlib import Path

Pairs = set[tuple[str, str]]


def truth(folder: Path, photos: list[str]) -> Pairs:
    """(photo stem, name) of everything that is labelled."""
    names = (folder / "coco.names").read_text(encoding="utf-8").split("\n")
    found: Pairs = set()
    for photo in photos:
        path = folder / "labels" / f"{photo}.txt"
        if path.exists():
            found |= {(photo, names[int(line.split()[0])]) for line in path.read_text().splitlines() if line.strip()}
    return found


def scores(said: Pairs, true: Pairs) -> str:
    """Precision, recall and F1 in one line."""
    right = len(said & true)
    precision, recall = right / max(1, len(said)), right / max(1, len(true))
    f1 = 2 * right / max(1, len(said) + len(true))
    return f"P {precision:.3f}  R {recall:.3f}  F1 {f1:.3f}  ({right} right of {len(said)} said, {len(true)} true)"


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coco", type=Path)
    parser.add_argument("tags", type=Path)
    options = parser.parse_args()
    told = json.loads(options.tags.read_text(encoding="utf-8"))
    photos = [Path(one["image"]).stem for one in told]
    true = truth(options.coco, photos)
    names = set((options.coco / "coco.names").read_text(encoding="utf-8").split("\n"))
    for title, statuses in (("all kept tags", {"auto", "needs_review"}), ("auto only", {"auto"})):
        said = {
            (Path(one["image"]).stem, tag["tag"])
            for one in told
            for tag in one["tags"]
            if tag["status"] in statuses and tag["tag"] in names
        }
        print(f"{title}, {len(photos)} photos")
        print(
            "  person present  ", scores({p for p in said if p[1] == "person"}, {p for p in true if p[1] == "person"})
        )
        print("  80 COCO names   ", scores(said, true))
        print(
            "  without person  ", scores({p for p in said if p[1] != "person"}, {p for p in true if p[1] != "person"})
        )


if __name__ == "__main__":
    main()
