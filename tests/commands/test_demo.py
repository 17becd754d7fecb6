"""`tagging demo`, twice."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from tests.commands.command_line import REPOSITORY, Project


@pytest.mark.slow
def test_the_demo_tags_all_samples_once(
    tmp_path: Path, cached_weights: Path, sample_photos: Mapping[str, Path]
) -> None:
    assert cached_weights.is_dir()
    project = Project(tmp_path, base=REPOSITORY / "demo" / "tagging.yaml")
    first = project.run("demo")
    assert first.code == 0, first.err
    assert f"{len(sample_photos)} photos in " in first.err
    for name in sample_photos:
        assert (tmp_path / "inbox" / name).is_file()
        assert name[:10] in first.out

    page = (tmp_path / "contact_sheet.html").read_text(encoding="utf-8")
    assert all(name in page for name in sample_photos)
    # Pictures are inside, so the page can be sent as one file.
    assert page.count("data:image/jpeg;base64,") >= len(sample_photos)
    assert "http://" not in page
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        assert min(sheet.size) > 400
        assert len(sheet.convert("RGB").getcolors(maxcolors=1 << 24) or ()) > 10_000

    again = project.run("demo")
    assert again.code == 0, again.err
    assert "Nothing was left to compute" in again.err
    assert again.seconds < 30
    assert again.out == first.out
