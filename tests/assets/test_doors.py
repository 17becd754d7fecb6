"""Whoever may start a run decides what it is about, and nothing else: no settings, no database, no place to write."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._config import ConfigType, ConfigTypeKind

from resources.row_store import RowStore
from tagging_assets import run_tags
from tagging_assets.definitions import build_defs, defs
from tagging_assets.domain.errors import UnsafeName
from tagging_assets.domain.schemas import BENCHMARK_SCORES
from tests.domain.test_path_names import UNSAFE
from tests.workshop import Workshop

JOBS = [job.name for job in defs.resolve_all_job_defs()]

#: What the configuration of a run may say: how much is logged, and Dagster's own about steps within one process.
#: What assets are told has no form, and none of them reads it.
HARMLESS = {
    ("execution", "config", "marker_to_close"),
    ("execution", "config", "step_dependency_config", "require_upstream_step_success"),
    ("loggers", "console", "config", "log_level"),
    ("loggers", "console", "config", "name"),
}


def leaves(kind: ConfigType, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """What can be said, as paths of keys."""
    if ConfigTypeKind.has_fields(kind.kind):
        for name, field in kind.fields.items():  # type: ignore[attr-defined]
            yield from leaves(field.config_type, (*path, name))
    else:
        yield path


def is_harmless(path: tuple[str, ...]) -> bool:
    asset = len(path) == 3 and path[0] == "ops" and path[2] == "config"
    # Dagster tells retries by a selector of two empty forms.
    return asset or path in HARMLESS or path[:3] == ("execution", "config", "retries")


@pytest.mark.parametrize("name", JOBS)
def test_a_run_can_be_told_nothing_that_matters(name: str) -> None:
    job = defs.resolve_job_def(name)
    said = set(leaves(job.run_config_schema.run_config_schema_type))
    assert [path for path in said if not is_harmless(path)] == []
    assert any(path[0] == "loggers" for path in said), "the walk has seen the schema"


def test_no_asset_reads_what_a_run_is_told() -> None:
    root = Path(__file__).parents[2]
    for folder in ("tagging_assets", "sensors", "resources"):
        for file in (root / folder).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            assert "op_config" not in text, file
            assert "config_schema=" not in text.replace("config_schema=NOTHING", ""), file


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ("toolbox", {"settings_path": "/tmp/evil.yaml"}),
        ("toolbox", {"settings_path": {"env": "HOME"}}),
        ("toolbox", {"database_url": "postgresql://evil.example/x"}),
        ("manifest", {"anything": 1}),
        ("line", {"root": "/tmp"}),
        ("frames", {"root": "/tmp/evil"}),
        ("io_manager", {"base_dir": "/tmp/evil"}),
        ("io_manager", {"base_dir": {"env": "TAGGING_DATABASE_URL"}}),
    ],
)
def test_resources_cannot_be_told_anything(resource: str, said: Mapping[str, Any]) -> None:
    job = build_defs().resolve_job_def("tag_images")
    with pytest.raises(dg.DagsterInvalidConfigError, match="unexpected config entry"):
        dg.validate_run_config(job, {"resources": {resource: {"config": dict(said)}}})


def _tree(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("batch", ["../../../evil", "/tmp/evil", ".hidden", "a\nb", "x" * 200, "b000777"])
def test_a_run_over_a_batch_that_nobody_made_computes_nothing(workshop: Workshop, tmp_path: Path, batch: str) -> None:
    workshop.draw("a.png")
    workshop.tools.intake.look()
    before = _tree(tmp_path)
    done = workshop.run(batch, raises=False)
    assert not done.success
    said = [event.step_failure_data.error.to_string() for event in done.all_events if event.is_step_failure]
    assert any("UnsafeName" in one or f"there is no image batch {batch}" in one for one in said), said
    assert not [path for path in _tree(tmp_path) - before if path.suffix == ".parquet"]
    assert not Path("/tmp/evil.parquet").exists()
    assert not any(workshop.tools.states.of([batch]).values())
    assert workshop.run().success, "and the others are none the worse"


@pytest.mark.parametrize("name", UNSAFE, ids=range(len(UNSAFE)))
def test_names_are_checked_wherever_they_become_a_path(workshop: Workshop, tmp_path: Path, name: str) -> None:
    before = _tree(tmp_path)
    store, rows, board = workshop.tools.bench.store, RowStore(tmp_path / "rows"), workshop.tools.scoreboards
    for attempt in (
        lambda: store.path("tags", name),
        lambda: store.path(name, "b000001"),
        lambda: store.exists("tags", name),
        lambda: store.read("tags", name),
        lambda: store.write("tags", name, store.read("tags", "b000001")),
        lambda: rows.read(BENCHMARK_SCORES, name),
        lambda: rows.write(BENCHMARK_SCORES, [], name),
        lambda: rows.write(BENCHMARK_SCORES, [], name, "label"),
        lambda: rows.write(BENCHMARK_SCORES, [], "trial", name),
        lambda: board.read(name),
        lambda: board.reports(name),
        lambda: workshop.tools.manifest.require(name),
    ):
        with pytest.raises(UnsafeName):
            attempt()
    assert _tree(tmp_path) == before


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (run_tags.RETRYING, "garbage"),
        (run_tags.RETRYING, ""),
        (run_tags.RETRYING, "x" * 5000),
        (run_tags.OPERATION, "../../evil"),
        (run_tags.OPERATION, "a\nb"),
        (run_tags.OPERATION, "x" * 65),
        (run_tags.OPERATION, "'; drop table tag; --"),
    ],
)
def test_a_tag_that_says_nonsense_stops_the_run_with_one_line(workshop: Workshop, tag: str, value: str) -> None:
    workshop.draw("a.png")
    done = workshop.run(raises=False, tags={tag: value})
    assert not done.success
    failed = next(event.step_failure_data.error for event in done.all_events if event.is_step_failure)
    cause = failed.cause or failed
    assert "SettingsError" in cause.message
    assert tag in cause.message
    assert value not in cause.message or len(value) < 10
    assert workshop.published() == {}
