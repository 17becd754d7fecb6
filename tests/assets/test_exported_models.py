"""The asset: a checkpoint becomes a model that is proved, or none; what it says to Dagster; and the command over it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from resources import parity
from resources.decoding import decode
from resources.exporting import exported
from resources.model_in_use import ModelInUse, derived_folder
from resources.weights import WeightsStore
from tagging_assets.assets import exported_models as asset
from tagging_assets.definitions import build_defs
from tagging_assets.domain.errors import ModelFailed
from tests.seeded_checkpoints import catalogue_of, entry_of, make
from tests.workshop import Workshop

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
KEY = dg.AssetKey("exported_models")
PHOTOS = Path(__file__).parents[2] / "resources" / "selftest"


def run(workshop: Workshop, name: str) -> dg.ExecuteInProcessResult:
    job = build_defs(resource_overrides={"toolbox": workshop.tools}).resolve_job_def("export_models")
    return job.execute_in_process(instance=workshop.instance, partition_key=name, run_config=QUIET)


def checks(workshop: Workshop) -> list[str]:
    """What became of each check, newest first."""
    storage = workshop.instance.event_log_storage
    records = storage.get_asset_check_execution_history(dg.AssetCheckKey(KEY, "parity"), limit=10)
    return [record.status.value for record in records]


def test_its_partitions_are_the_models_that_are_exported(workshop: Workshop, tmp_path: Path) -> None:
    checkpoint = tmp_path / "model.pt"
    checkpoint.write_bytes(b"weights")
    entries = {"b": entry_of("test_vit", checkpoint), "a": entry_of("yolov8n", checkpoint)}
    workshop.tools.__dict__["weights"] = WeightsStore(
        catalogue_of({**entries, "c": {**entries["a"], "export": None}}), tmp_path
    )
    defs = build_defs(resource_overrides={"toolbox": workshop.tools})
    (spec,) = [spec for spec in defs.resolve_all_asset_specs() if spec.key == KEY]
    assert spec.partitions_def == dg.StaticPartitionsDefinition(["a", "b"])
    assert "exported_models" not in {node.name for node in defs.resolve_job_def("tag_images").nodes}
    (check,) = [check for one in defs.resolve_asset_graph().asset_check_keys for check in [one] if one.asset_key == KEY]
    assert check.name == "parity"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="the extra export is not installed")
def test_a_model_is_proved_or_not_kept(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = make("test_vit", tmp_path / "test_vit.pt")
    store = WeightsStore(catalogue_of({"vit": entry_of("test_vit", checkpoint)}), tmp_path / "cache", offline=True)
    entry = store.catalogue.entry("vit")
    workshop.tools.__dict__["weights"] = store
    # Two photos are enough here, and need no cache.
    photos = [decode(path).pixels for path in sorted(PHOTOS.glob("*.jpg"))]
    monkeypatch.setattr(asset, "parity_photos", lambda _store, _report: photos)
    with monkeypatch.context() as stricter:
        never = parity.Limit("largest difference of a class's score", -1, at_least=False)
        stricter.setitem(parity.LIMITS, "score_difference", never)  # type: ignore[arg-type]
        with pytest.raises(ModelFailed, match="vit was exported and does not do what the original does: largest"):
            run(workshop, "vit")
    assert checks(workshop) == ["FAILED"]
    assert exported(store, entry) is None
    assert not list(derived_folder(store, entry, "fp32").parent.iterdir()), "nothing is left"
    before = ModelInUse(store, entry).card().revision

    result = run(workshop, "vit")
    assert checks(workshop) == ["SUCCEEDED", "FAILED"]
    notes = exported(store, entry)
    assert notes is not None
    assert notes.parity["score_difference"] <= 1e-3
    assert notes.made_from == {"test_vit.pt": entry.files[0].sha256}
    (event,) = result.get_asset_materialization_events()
    said: dict[str, Any] = {name: value.value for name, value in event.materialization.metadata.items()}
    assert "| smallest cosine of picture vectors | " in said["parity"]
    assert said["opset"] == 17
    assert set(said["libraries"]) == {"onnx", "timm", "torch"}
    assert said["megabytes"] > 0
    assert len((event.materialization.tags or {})["dagster/data_version"]) == 64
    folder = derived_folder(store, entry, "fp32")
    # The stamp says that the bytes were hashed, and are those of the notes.
    made = {"model.json", "model.onnx", "model.onnx.verified.json"}
    assert {path.name for path in folder.iterdir()} == made
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing half-made beside it"
    assert ModelInUse(store, entry).card().revision != before, "photos are done anew"
