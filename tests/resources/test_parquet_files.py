import random
from pathlib import Path

import polars as pl
import pytest

from resources.parquet_files import FORMAT, read_frame, seems_whole, write_frame
from tagging_assets.domain.errors import DamagedFile, StorageError

FRAME = pl.DataFrame(
    {
        "image_id": [f"{place:04x}" for place in range(200)],
        "rows": [[{"tag": "dog", "vector": [0.5] * (place + 1)}] for place in range(200)],
    }
)


def written(folder: Path) -> Path:
    path = folder / "a.parquet"
    write_frame(folder, path, FRAME)
    return path


def same(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    found = read_frame(path, same)
    assert found is not None
    assert found.equals(FRAME)
    assert seems_whole(path)
    assert read_frame(tmp_path / "none.parquet", same) is None
    assert not seems_whole(tmp_path / "none.parquet")


def test_files_of_earlier_versions_have_no_stamp(tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    FRAME.write_parquet(path)
    found = read_frame(path, same)
    assert found is not None
    assert found.equals(FRAME)


def test_a_file_of_a_newer_version_stays(tmp_path: Path) -> None:
    path = tmp_path / "new.parquet"
    FRAME.write_parquet(path, metadata={"tagging.format": str(FORMAT + 1)})
    with pytest.raises(StorageError, match="newer version") as told:
        read_frame(path, same)
    assert not isinstance(told.value, DamagedFile)
    assert path.exists()


@pytest.mark.parametrize("kept", [0, 1, 4, 12, 0.5, 0.9, -1])
def test_a_file_that_was_cut_off_is_set_aside(tmp_path: Path, kept: float) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else int(kept)])
    assert not seems_whole(path)
    with pytest.raises(DamagedFile, match=r"a\.parquet cannot be read .*set aside as a\.parquet\.damaged") as told:
        read_frame(path, same)
    assert "\n" not in str(told.value)
    assert not path.exists()
    # From now on there is none, and the next one is as good as any.
    assert read_frame(path, same) is None
    write_frame(tmp_path, path, FRAME)
    assert read_frame(path, same) is not None


@pytest.mark.parametrize("seed", range(60))
def test_damage_anywhere_is_told_or_reads(tmp_path: Path, seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path)
    content = bytearray(path.read_bytes())
    chance = random.Random(seed)
    start = chance.randrange(len(content))
    length = chance.choice([1, 8, 64])
    content[start : start + length] = chance.randbytes(len(content[start : start + length]))
    path.write_bytes(content)
    try:
        read_frame(path, same)
    except DamagedFile:
        assert not path.exists()
    else:
        assert path.exists()


def test_columns_that_are_not_there_are_damage(tmp_path: Path) -> None:
    path = written(tmp_path)

    def wanting(frame: pl.DataFrame) -> object:
        return next(frame.iter_rows(named=True))["recipe"]

    with pytest.raises(DamagedFile, match="recipe"):
        read_frame(path, wanting)
