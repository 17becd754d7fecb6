"""Model files in a folder, judged by what is in them rather than by their names.

ONNX files are read for their inputs, outputs and metadata; nothing is run here (``trials`` does that). Checkpoints
(.pt, .ckpt, .safetensors …) are named only: they may hold code, and are opened when they are exported. What does not
belong here: what is done with what was found (``scan_entries``, ``tagging models scan``).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from resources.catalogue import Catalogue
from resources.fetch import sha256_of
from resources.model_notes import NOTES, read_notes
from resources.yolo_kind import labels_of, read_kind, told
from tagging_assets.domain.booru import read_tag_table
from tagging_assets.domain.errors import ModelFailed, SettingsError, WeightsCorrupt
from tagging_assets.domain.models import PERSON_LABEL

Kind = Literal["yolo", "wd", "exported", "checkpoint", "table", "onnx"]

#: Name of the tag table beside a WD tagger's model.
TABLE = "selected_tags.csv"

_CHECKPOINTS = {".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".msgpack", ".pkl", ".task", ".gguf"}
#: Smaller files of these endings are no weights.
_LEAST_CHECKPOINT = 1_000_000
#: Protobuf cannot hold more; larger models keep their weights in a file beside.
_MOST_ONNX = 2**31
#: Reading a pipe would wait for good.
_NO_FILE = "it is no file: a link that leads nowhere, or a pipe"
_NO_NOTES = f"its {NOTES} is damaged, or not of this project"
_QUANTISED = {"QuantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv"}


@dataclass(frozen=True, slots=True)
class Head:
    """What an ONNX file says about itself.

    Attributes:
        inputs: name to shape; free dimensions are strings.
        types: input name to element type, as ONNX Runtime says it.
        outputs: name to shape.
        metadata: texts by name.
        quantised: whether any of it computes in integers.
    """

    inputs: Mapping[str, tuple[int | str | None, ...]]
    types: Mapping[str, str]
    outputs: Mapping[str, tuple[int | str | None, ...]]
    metadata: Mapping[str, str]
    quantised: bool

    @property
    def provider(self) -> str:
        """Nothing runs."""
        return "not loaded"

    def run(self, feeds: Mapping[str, Any], outputs: Sequence[str] | None = None) -> list[Any]:
        """A head cannot run.

        Raises:
            ModelFailed: always.
        """
        raise ModelFailed("only the head of the model was read")


@dataclass(frozen=True, slots=True)
class Found:
    """One file, or one exported folder, and what it is.

    Attributes:
        path: of the file, or of the folder.
        kind: what it is; ``onnx`` where it is no model that this project can run.
        says: facts about it, for people.
        problem: why it cannot be used; ``""`` where it can, or where nothing was expected of it.
        known: ``ENTRY/FILE`` of the catalogue that has the same bytes; of an exported folder, its entry.
        files: by role, of a model that can be run.
        names: of its classes.
        dynamic: whether it takes pictures of any size.
        quantised: whether any of it computes in integers.
        licence: as the file says it.
    """

    path: Path
    kind: Kind
    says: str = ""
    problem: str = ""
    known: str = ""
    files: Mapping[str, Path] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    dynamic: bool = False
    quantised: bool = False
    licence: str = ""

    @property
    def can_run(self) -> bool:
        """Whether it is a model with all it needs."""
        return bool(self.files) and not self.problem


def scan(where: Path, catalogue: Catalogue) -> list[Found]:
    """Models below a folder, in the order of their paths; a single file may be named too.

    Args:
        where: folder, or file.
        catalogue: to know files again by their bytes.

    Raises:
        SettingsError: there is no such folder, or it cannot be read.
    """
    if not where.exists():
        raise SettingsError(f"there is no folder or file {where}")
    found: list[Found] = []
    exported: set[Path] = set()
    for path in _paths(where):
        if path.parent in exported:
            continue
        if path.name == NOTES and path.is_file():
            one = _exported(path.parent, catalogue)
            found.append(one)
            # Others have files of this name too; theirs say nothing of what lies beside.
            if one.problem != _NO_NOTES:
                exported.add(path.parent)
            continue
        judged = _judge(path)
        if judged is not None:
            found.append(judged if judged.problem == _NO_FILE else _recognised(judged, catalogue))
    return sorted(_without_used_tables(found), key=lambda one: one.path)


def read_head(path: Path) -> Head:
    """Inputs, outputs and metadata of an ONNX file; its weights are not kept.

    Raises:
        ModelFailed: it is not readable as ONNX.
    """
    import onnx

    if path.stat().st_size >= _MOST_ONNX:
        raise ModelFailed("it has 2 GB or more, which no ONNX file has: it is something else, or damaged")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:
        raise ModelFailed(f"it cannot be read as ONNX ({' '.join(str(error).split())[:120]})") from error
    graph = model.graph
    weights = {one.name for one in graph.initializer}
    inputs = [one for one in graph.input if one.name not in weights]
    if not inputs or not graph.output:
        raise ModelFailed("it holds no ONNX graph with inputs and outputs")
    return Head(
        inputs={one.name: _shape(one) for one in inputs},
        types={one.name: _element(one.type.tensor_type.elem_type) for one in inputs},
        outputs={one.name: _shape(one) for one in graph.output},
        metadata={one.key: one.value for one in model.metadata_props},
        quantised=any(node.op_type in _QUANTISED for node in graph.node),
    )


def _paths(where: Path) -> Iterator[Path]:
    if where.is_file():
        yield where
        return
    for folder, folders, files in os.walk(where):
        folders.sort()
        # Notes of a folder come first: they say what its other files are.
        for name in sorted(files, key=lambda one: (one != NOTES, one)):
            yield Path(folder) / name


def _judge(path: Path) -> Found | None:
    """What a file is; ``None`` where it is nothing to do with models."""
    ending = path.suffix.lower()
    if not path.is_file():
        return Found(path, "onnx", problem=_NO_FILE) if ending == ".onnx" else None
    if ending == ".onnx":
        return _judge_onnx(path)
    if ending == ".csv" and "tags" in path.stem:
        return _judge_table(path)
    if ending in _CHECKPOINTS and path.stat().st_size >= _LEAST_CHECKPOINT:
        says = "weights; named only, never opened here: export its catalogue entry, or add one for it"
        return Found(path, "checkpoint", says)
    return None


def _judge_onnx(path: Path) -> Found:
    try:
        head = read_head(path)
    except ModelFailed as error:
        return Found(path, "onnx", problem=str(error))
    shape = next(iter(head.inputs.values()))
    if "names" in head.metadata or head.metadata.get("task"):
        return _judge_yolo(path, head)
    if len(shape) == 4 and shape[-1] == 3:
        return _judge_wd(path, head)
    ends = f"takes {_ends(head.inputs)}, gives {_ends(head.outputs)}"
    problem = f"{ends}: neither a YOLO with names of classes, nor a WD tagger, nor in a folder with {NOTES}"
    return Found(path, "onnx", problem=problem, quantised=head.quantised)


def _judge_yolo(path: Path, head: Head) -> Found:
    try:
        kind = read_kind(head)
        labels = labels_of(kind.names, {})
    except ModelFailed as error:
        return Found(path, "onnx", problem=str(error), quantised=head.quantised)
    size = "any size" if kind.is_dynamic else f"{kind.width} x {kind.height}"
    people = "" if PERSON_LABEL in labels.values() else "; no class is a person"
    return Found(
        path,
        "yolo",
        f"YOLO, {kind.task}, {len(kind.names)} classes: {told(kind.names)}; {size}{people}",
        files={"model": path},
        names=tuple(labels.values()),
        dynamic=kind.is_dynamic,
        quantised=head.quantised,
        licence=head.metadata.get("license", "").split(" License")[0].strip(),
    )


def _judge_wd(path: Path, head: Head) -> Found:
    found = Found(path, "wd", f"takes {_ends(head.inputs)}, as WD taggers do", quantised=head.quantised)
    table = _table_beside(path)
    if table is None:
        return replace(found, kind="onnx", problem=f"{found.says}, but has no {TABLE} beside it")
    try:
        tags = _tags(table)
    except WeightsCorrupt as error:
        return replace(found, problem=str(error))
    outputs = next(iter(head.outputs.values()))[-1]
    if outputs != len(tags):
        return replace(found, problem=f"it has {outputs} outputs and {table.name} {len(tags)} tags: not of one model")
    _batch, height, width, _channels = next(iter(head.inputs.values()))
    says = f"WD tagger, {len(tags)} tags, {width} x {height}"
    return replace(found, says=says, files={"model": path, "labels": table}, names=tags)


def _judge_table(path: Path) -> Found | None:
    try:
        tags = _tags(path)
    except WeightsCorrupt:
        return None
    says = f"tag table of a WD tagger, {len(tags)} tags; its model.onnx must lie beside it, the table as {TABLE}"
    return Found(path, "table", says, names=tags)


def _exported(folder: Path, catalogue: Catalogue) -> Found:
    """A folder that was exported or quantised, here or elsewhere."""
    try:
        notes = read_notes(folder)
    except WeightsCorrupt:
        notes = None
    if notes is None:
        return Found(folder, "exported", problem=_NO_NOTES)
    says = f"{notes.entry} in {notes.precision}, made by {notes.made_by}"
    if notes.entry not in catalogue.entries:
        return Found(folder, "exported", says, f"the catalogue has no {notes.entry}: add that entry first")
    files = {role: folder / one.name for role, one in notes.files.items()}
    for role, path in files.items():
        if not path.is_file() or sha256_of(path) != notes.sha256[role]:
            return Found(folder, "exported", says, f"{path.name} is missing, or not what was noted when it was made")
    return Found(folder, "exported", says, known=notes.entry, files=files, names=notes.names)


def _recognised(found: Found, catalogue: Catalogue) -> Found:
    """Whether the catalogue has a file of the same bytes; only files of the right size are hashed."""
    size = found.path.stat().st_size
    alike = [
        (entry.name, file)
        for entry in catalogue.entries.values()
        for file in entry.files
        if file.size == size and not file.unpinned
    ]
    if not alike:
        return found
    digest = sha256_of(found.path)
    names = [f"{entry}/{file.name}" for entry, file in alike if file.sha256 == digest]
    return replace(found, known=names[0]) if names else found


def _without_used_tables(found: Sequence[Found]) -> list[Found]:
    """A table beside a tagger belongs to it, or is named in what is wrong with it."""
    taggers = {one.path.parent for one in found if one.kind == "wd"}
    return [one for one in found if one.kind != "table" or one.path.parent not in taggers]


def _table_beside(model: Path) -> Path | None:
    own = model.with_name(TABLE)
    if own.is_file():
        return own
    others = sorted(path for path in model.parent.glob("*.csv") if "tags" in path.stem)
    return others[0] if len(others) == 1 else None


def _tags(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsCorrupt(f"{path.name} cannot be read as text") from error
    return tuple(tag.name for tag in read_tag_table(text, path.name))


def _ends(ends: Mapping[str, tuple[int | str | None, ...]]) -> str:
    return ", ".join(f"{name} ({' x '.join(map(str, shape)) or 'one number'})" for name, shape in ends.items())


def _shape(end: Any) -> tuple[int | str | None, ...]:
    return tuple(one.dim_value or one.dim_param or "?" for one in end.type.tensor_type.shape.dim)


def _element(number: int) -> str:
    import onnx

    usual = {int(onnx.TensorProto.FLOAT): "float", int(onnx.TensorProto.FLOAT16): "float16"}
    return f"tensor({usual.get(number, f'type {number}')})"
