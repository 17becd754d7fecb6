"""A model of the catalogue as the settings use it: which files, at which precision, on what, with which knobs.

Every adapter is made from one of these. What does not belong here: what the model does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from resources.catalogue import Capability, Entry
from resources.fetch import is_ready
from resources.inference import Inference
from resources.model_notes import ModelNotes, Precision, read_notes
from resources.onnx_session import DEFAULT_OPTIONS, OnnxOptions, Session, open_session
from resources.tuning import Tuning
from resources.weights import WeightsStore
from tagging_assets.domain.errors import WeightsCorrupt, WeightsMissing
from tagging_assets.domain.hashing import content_hash
from tagging_assets.domain.models import ModelCard

#: Raise it where the same catalogue entry is exported to something else than before.
EXPORT_VERSION = 1

#: Stands for the hash of a file that is yet to be made.
_UNMADE = "unmade"


@dataclass(frozen=True)
class ModelInUse:
    """One entry, and what was chosen about it.

    Attributes:
        store: where its files are kept.
        entry: of the catalogue.
        options: what it runs on.
        said: knobs that were chosen, by name; the others have the entry's defaults.
    """

    store: WeightsStore
    entry: Entry
    options: OnnxOptions = DEFAULT_OPTIONS
    said: Mapping[str, Capability] = field(default_factory=dict)

    @property
    def knobs(self) -> Mapping[str, Capability]:
        """Every knob's value.

        Raises:
            SettingsError: something was chosen that cannot be.
        """
        return self.entry.chosen(self.said)

    @property
    def precision(self) -> Precision:
        """Of the files in use."""
        return cast("Precision", self.knobs.get("precision", "fp32"))

    @property
    def is_derived(self) -> bool:
        """Whether its files are made on this machine: exported, or put into another precision."""
        return self.entry.export is not None or self.precision != "fp32"

    @property
    def folder(self) -> Path:
        """Where files are that are made on this machine."""
        return derived_folder(self.store, self.entry, self.precision)

    @property
    def notes(self) -> ModelNotes | None:
        """What was noted when they were made; ``None`` where they were not, or where nothing is to be made."""
        return read_notes(self.folder) if self.is_derived else None

    def card(self, parameters: Mapping[str, Capability] | None = None) -> ModelCard:
        """Identity: the catalogue's hashes, those of the files made from them, and every knob.

        Args:
            parameters: what else changes the output.
        """
        card = self.store.card(self.entry.name, {**self.knobs, **(parameters or {})})
        if not self.is_derived:
            return card
        notes = self.notes
        made = "+".join(notes.sha256[role] for role in sorted(notes.files)) if notes else _UNMADE
        return ModelCard(card.name, f"{card.revision}+{made}", card.preprocessing, card.parameters)

    def path(self, role: str = "model") -> Path:
        """A file of the model, fetched if need be.

        Raises:
            WeightsMissing: it is not there and cannot be fetched, or is yet to be made; the message says how.
            WeightsCorrupt: its bytes are not those that the catalogue names.
        """
        if self.is_derived:
            return self._derived(role)
        return self.store.path(self.entry.name, self._named(role))

    def sha256(self, role: str = "model") -> str:
        """Of that file.

        Raises:
            WeightsMissing: it is yet to be made.
        """
        if self.is_derived:
            return self._made().sha256[role]
        return self.entry.file(self._named(role)).sha256

    def has(self, role: str) -> bool:
        """Whether the model has a file of that role."""
        if self.is_derived:
            notes = self.notes
            return notes is not None and role in notes.files
        return any(file.role == role for file in self.entry.files)

    def inference(self, role: str = "model", *, check: Callable[[Inference], None] | None = None) -> Inference:
        """The loop over one of its ONNX files; nothing is loaded before the first picture.

        Args:
            role: which file.
            check: see :class:`Inference`.
        """

        def load() -> Session:
            path, sha256 = self.path(role), self.sha256(role)
            options = replace(self.options, fp16=self.precision == "fp16")
            return open_session(path, sha256, Tuning(self.store.cache_dir).applied(options, sha256))

        return Inference(load, batch=self.options.batch, check=check)

    def _named(self, role: str) -> str:
        for file in self.entry.files:
            if file.role == role:
                return file.name
        raise WeightsMissing(f"{self.entry.name} has no file for {role}; see `tagging models list`")

    def _made(self) -> ModelNotes:
        notes = self.notes
        if notes is None:
            maker = self._maker().removesuffix(" --again")
            raise WeightsMissing(f"{self.entry.name} ({self.precision}) is not made yet: run `{maker}`")
        return notes

    def _derived(self, role: str) -> Path:
        notes = self._made()
        if role not in notes.files:
            raise WeightsMissing(f"{self.entry.name} has no file for {role}; see `tagging models list`")
        file = notes.files[role]
        path = self.folder / file.name
        if not is_ready(path, file):
            raise WeightsCorrupt(
                f"{path} is gone, or is not what was made (other bytes than {file.sha256[:12]}): make it again with "
                f"`{self._maker()}`"
            )
        return path

    def _maker(self) -> str:
        if self.precision != "fp32":
            return f"tagging models quantise {self.entry.name} --precision {self.precision}"
        return f"tagging models export {self.entry.name} --again"


def derived_folder(store: WeightsStore, entry: Entry, precision: Precision) -> Path:
    """Where a model's files of a precision are kept, once made; what they are made by is part of the name."""
    recipe = content_hash([EXPORT_VERSION, entry.export.model_dump(mode="json")]) if entry.export else ""
    return store.derived(entry.name, f"{precision}-{recipe[:8]}" if recipe else precision)
