"""The graph is what it is meant to be; Dagster itself would pass a misspelt dependency."""

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from resources.toolbox import TOOLS, Toolbox
from tagging_assets.assets.recipes import SOURCES
from tagging_assets.definitions import BENCHMARK_ASSETS, STAGE_ASSETS, build_defs, defs
from tagging_assets.domain.schemas import BENCHMARK_TABLES
from tagging_assets.domain.stages import STAGES

ROOT = Path(__file__).parents[1]
PACKAGES = ("tagging_assets", "resources", "sensors")
GRAPH = Path(__file__).with_name("graph.txt")

#: What must not be loaded by importing the definitions: each costs seconds, or is not there at all.
HEAVY = {"torch", "mediapipe", "ultralytics", "open_clip", "timm", "openai", "onnx", "onnxruntime", "cv2", "xllamacpp"}


def name_of(key: dg.AssetKey) -> str:
    return key.to_user_string()


@pytest.fixture(scope="module")
def nodes() -> dict[str, dg.AssetSpec]:
    """Every asset, external ones included, by name."""
    return {name_of(spec.key): spec for spec in defs.resolve_all_asset_specs()}


@pytest.fixture(scope="module")
def stage_nodes(nodes: dict[str, dg.AssetSpec]) -> dict[str, dg.AssetSpec]:
    return {name: nodes[name] for name in (*STAGES, "published_tags")}


def above(spec: dg.AssetSpec) -> set[str]:
    return {name_of(dep.asset_key) for dep in spec.deps}


def test_what_nobody_makes_is_an_external_source(nodes: dict[str, dg.AssetSpec]) -> None:
    made = {name_of(key) for asset in [*STAGE_ASSETS, *BENCHMARK_ASSETS] for key in asset.keys}
    asked = {name for spec in nodes.values() for name in above(spec)}
    assert asked - made == {f"recipes/{name}" for name in SOURCES} | {"calibration"}
    assert made == {*STAGES, "published_tags", "benchmark_reports", *(table.name for table in BENCHMARK_TABLES)}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_takes_what_it_needs_and_no_more(stage_nodes: dict[str, dg.AssetSpec], stage: str) -> None:
    frames = {name for name in above(stage_nodes[stage]) if not name.startswith("recipes/")}
    # Unpartitioned, and part of the recipe: nothing of it is taken in as a frame.
    assert frames - {"calibration"} == set(STAGES[stage].needs)


def test_every_asset_tells_what_it_is(nodes: dict[str, dg.AssetSpec], stage_nodes: dict[str, dg.AssetSpec]) -> None:
    for name, spec in nodes.items():
        assert spec.description, name
        assert spec.group_name not in (None, "default"), name
        assert spec.kinds, name
    for name, spec in stage_nodes.items():
        assert (spec.description or "").startswith("One row per "), name
        assert spec.owners, name
        assert spec.code_version, name
        assert isinstance(spec.partitions_def, dg.DynamicPartitionsDefinition), name


def test_every_stage_has_a_blocking_schema_check_and_every_check_an_asset() -> None:
    checks = [spec for one in STAGE_ASSETS for spec in one.check_specs]
    assert {name_of(spec.asset_key) for spec in checks} == set(STAGES)
    assert {name_of(spec.asset_key) for spec in checks if spec.name == "schema"} == set(STAGES)
    assert all(spec.blocking for spec in checks)
    assert len({spec.key for spec in checks}) == len(checks)


def test_tables_of_experiments_are_checked_and_no_part_of_the_line() -> None:
    checked = {name_of(spec.asset_key) for one in BENCHMARK_ASSETS for spec in one.check_specs if spec.blocking}
    assert checked == {table.name for table in BENCHMARK_TABLES}
    line = {node.name for node in defs.resolve_job_def("tag_images").nodes}
    assert line == {*STAGES, "published_tags"}
    jobs = {
        name: {node.name for node in defs.resolve_job_def(name).nodes} for name in ("ask_benchmark", "score_benchmark")
    }
    assert jobs == {
        "ask_benchmark": {"benchmark_answers"},
        "score_benchmark": {"benchmark_scores", "benchmark_reports"},
    }
    pools = {name_of(one.key): one.op.pool for one in BENCHMARK_ASSETS}
    assert pools["benchmark_answers"] == "llm"


def test_the_graph_is_the_one_on_record(nodes: dict[str, dg.AssetSpec]) -> None:
    lines = [" <- ".join(filter(None, (name, ", ".join(sorted(above(nodes[name])))))) for name in sorted(nodes)]
    assert len(lines) < 100
    text = "\n".join(lines) + "\n"
    assert GRAPH.read_text(encoding="utf-8") == text, f"if it is meant, write this to tests/graph.txt:\n{text}"


def test_every_tool_is_made_by_the_toolbox_and_asked_for_by_name() -> None:
    assert [name for name in TOOLS if not hasattr(Toolbox, name)] == []
    assert set(TOOLS) <= (defs.resources or {}).keys()
    asked = {key for asset in [*STAGE_ASSETS, *BENCHMARK_ASSETS] for key in asset.required_resource_keys}
    asked |= {key for sensor in defs.sensors or () for key in sensor.required_resource_keys}
    # Dagster's own stands behind an asset that hands nothing on.
    assert asked - {"io_manager"} <= (defs.resources or {}).keys()


def test_definitions_are_fresh_and_take_other_resources() -> None:
    stand_in = object()
    one, other = build_defs(resource_overrides={"detector": stand_in}), build_defs()
    assert (one.resources or {})["detector"] is stand_in
    assert (other.resources or {})["detector"] is not stand_in
    dg.Definitions.validate_loadable(other)


def test_a_toolbox_that_is_none_is_refused() -> None:
    @dg.asset
    def asks(frames: dg.ResourceParam[object]) -> None:
        """Needs anything of the toolbox."""

    built = build_defs(resource_overrides={"toolbox": "a word"})
    with pytest.raises(dg.DagsterResourceFunctionError) as error:
        dg.materialize([asks], resources={name: (built.resources or {})[name] for name in ("toolbox", "frames")})
    assert "the resource toolbox is a str" in str(error.value.__cause__)


def test_frames_pass_between_stages_by_one_io_manager() -> None:
    for asset in STAGE_ASSETS:
        if name_of(asset.key) != "published_tags":
            # The others are the results of its checks.
            (output,) = [one for one in asset.op.output_defs if one.name == "result"]
            assert output.io_manager_key == "frames"


def test_importing_the_definitions_loads_nothing_heavy_and_our_own_packages() -> None:
    script = (
        "import json, sys, resources, sensors, tagging_assets.definitions\n"
        "print(json.dumps([sorted(sys.modules), resources.__file__, sensors.__file__]))"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    modules, *files = json.loads(said.stdout)
    assert {module.split(".")[0] for module in modules} & HEAVY == set()
    # Their names are so common that another distribution may bring packages of the same name.
    assert [Path(file).parent for file in files] == [ROOT / "resources", ROOT / "sensors"]


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    return found


def test_annotations_are_not_postponed() -> None:
    # Dagster reads them when a function is decorated, and does not find what is only a text.
    assert [path for path in sources(*PACKAGES) if "__future__.annotations" in imported(path)] == []


def test_nothing_is_mocked() -> None:
    offenders = [
        path for path in sources("tests", *PACKAGES) if any(name.startswith("unittest.mock") for name in imported(path))
    ]
    assert offenders == []


@pytest.mark.parametrize("package", PACKAGES)
def test_our_packages_are_found_first(package: str) -> None:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert Path(spec.origin or "").parent == ROOT / package
