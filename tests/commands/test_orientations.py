"""One picture stored in all eight EXIF orientations is one picture."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image
from PIL.Image import Transpose

from resources.frame_store import FrameStore
from tests.commands.command_line import Project

#: What a camera does to an upright picture before it writes the orientation beside it (EXIF 2.32, tag 0x0112): the
#: inverse of what a viewer has to do.
_STORED = {
    1: None,
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    # a viewer turns it clockwise
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    # a viewer turns it counter-clockwise
    8: Transpose.ROTATE_270,
}
#: Stages whose rows depend on pixels alone.
_SHARED = ("detections", "landmarks", "body_features", "embeddings", "zero_shot_scores", "tagger_scores")


def _store(upright: Image.Image, orientation: int, folder: Path) -> None:
    turn = _STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    # PNG loses nothing, so that the upright pixels are the same to the last bit.
    (upright.transpose(turn) if turn is not None else upright).save(folder / f"stored{orientation}.png", exif=exif)


@pytest.mark.slow
def test_orientations_are_one_picture_and_are_looked_at_once(
    tmp_path: Path, cached_weights: Path, sample_photos: Mapping[str, Path]
) -> None:
    assert cached_weights.is_dir()
    # The chat model is asked about each photo by itself, caption and all; here only pixels count.
    project = Project(tmp_path, "llm:\n  enabled: false\n")
    with Image.open(sample_photos["astronaut.png"]) as photo:
        # Higher than wide, so that a quarter turn shows.
        upright = photo.convert("RGB").crop((60, 0, 380, 480))
    _store(upright, 1, project.photos)
    first = project.run("run", project.photos, "--json")
    assert first.code == 0, first.err
    assert {first.json["computed"][stage] for stage in _SHARED} == {1}

    for orientation in range(2, 9):
        _store(upright, orientation, project.photos)
    rest = project.run("run", project.photos, "--json")
    assert rest.code == 0, rest.err
    told = rest.json
    assert told["computed"]["proxies"] == 7
    # Their rows are those of the first.
    assert {told["computed"][stage] for stage in _SHARED} == {0}

    assert len(told["tags"]) == 8
    assert "person" in {tag["tag"] for tag in told["tags"][0]["tags"]}
    assert all(one["tags"] == told["tags"][0]["tags"] for one in told["tags"])
    seen = [record.rows[0] for record in FrameStore(project.data / "tables").read("proxies", "b000001").current]
    assert len(seen) == 8
    assert len({row["pixel_id"] for row in seen}) == 1
