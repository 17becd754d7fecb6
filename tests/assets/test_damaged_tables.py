"""Tables that are damaged: named, set aside, and made again; what people see published stays meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tagging_assets.domain.errors import DamagedFile, UnsafeName
from tagging_assets.domain.stages import STAGES
from tests.workshop import Workshop

BATCH = "b000001"


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def something_else(path: Path) -> None:
    path.write_bytes(b"GIF89a" * 50)


def holed(path: Path) -> None:
    """Both ends are there, and what is between is not."""
    content = path.read_bytes()
    path.write_bytes(content[:8] + bytes(len(content) - 16) + content[-8:])


def versions(workshop: Workshop) -> dict[str, str]:
    return {stage: workshop.frame(stage).version for stage in STAGES}


@pytest.mark.parametrize("hurt", [cut_off, something_else])
@pytest.mark.parametrize("stages", [("images",), ("tags",), tuple(STAGES)], ids=["first", "last", "all"])
def test_a_table_that_was_cut_off_is_made_again_by_the_next_run(
    workshop: Workshop, hurt: Callable[[Path], None], stages: tuple[str, ...]
) -> None:
    workshop.draw("a.jpg", "b.jpg")
    workshop.run()
    before, published = versions(workshop), workshop.published()
    for stage in stages:
        hurt(workshop.tools.bench.store.path(stage, BATCH))
    assert workshop.published() == published
    assert not workshop.is_fresh()
    assert workshop.run().success
    assert versions(workshop) == before
    assert workshop.published() == published
    assert workshop.is_fresh()


@pytest.mark.parametrize("stage", ["embeddings", "tags"])
def test_damage_inside_is_named_once_and_then_mended(workshop: Workshop, stage: str) -> None:
    workshop.draw("a.jpg")
    workshop.run()
    before = versions(workshop)
    path = workshop.tools.bench.store.path(stage, BATCH)
    holed(path)
    with pytest.raises(DamagedFile, match=f"{stage}/{BATCH}.parquet cannot be read"):
        workshop.frame(stage)
    assert not workshop.is_fresh()
    assert workshop.run().success
    assert versions(workshop) == before


def test_damage_of_another_batch_is_not_this_ones_trouble(workshop: Workshop) -> None:
    workshop.reopen(images={"settle_seconds": 0, "batch_size": 1}, llm={"enabled": False})
    workshop.draw("a.jpg")
    workshop.run()
    (workshop.photos / "b.jpg").write_bytes((workshop.photos / "a.jpg").read_bytes())
    holed(workshop.tools.bench.store.path("embeddings", BATCH))
    # The copy has lent everything but what was damaged.
    assert workshop.cost("b000002").keys() == {"encoder"}
    assert workshop.published()["b.jpg"] == workshop.published()["a.jpg"]


@pytest.mark.parametrize("partition", ["../../../evil", "a/b", "..", "/tmp/evil"])
def test_partitions_that_lead_elsewhere(workshop: Workshop, tmp_path: Path, partition: str) -> None:
    with pytest.raises(UnsafeName):
        workshop.tools.bench.store.write("tags", partition, workshop.frame("tags"))
    with pytest.raises(UnsafeName):
        workshop.frame("tags", partition)
    assert not list(tmp_path.rglob("*evil*"))
