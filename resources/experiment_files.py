"""Files that describe experiments, and files of true tags.

What does not belong here: what they may say (``tagging_assets/domain/experiment_spec.py`` and ``references.py``).
"""

from pathlib import Path

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.experiment_spec import Spec, parse_spec
from tagging_assets.domain.references import Reference, parse_reference
from tagging_assets.text_files import read_text, read_yaml

_ENDINGS = (".yaml", ".yml")


class ExperimentFiles:
    """The folder ``prompts/experiments``.

    Args:
        folder: holds one ``NAME.yaml`` per experiment; need not be there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """What there is, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.yaml"))

    def path(self, name_or_file: str) -> Path | None:
        """The file that is meant; ``None`` where it can only be a name.

        Raises:
            SettingsError: a file is meant, and is not there.
        """
        path = Path(name_or_file)
        if path.suffix in _ENDINGS:
            if not path.is_file():
                raise SettingsError(f"{path} is not there; give an experiment's file or name")
            return path
        own = self.folder / f"{name_or_file}.yaml"
        return own if own.is_file() else None


def load_spec(path: Path) -> Spec:
    """Read an experiment; the file's name is its name where it says no other, its folder the start of its paths.

    Raises:
        SettingsError: it cannot be read, or makes no sense.
    """
    spec = parse_spec(read_yaml(path), str(path), name=path.stem)
    if spec.reference is None:
        return spec
    return spec.model_copy(update={"reference": path.parent / spec.reference.expanduser()})


def load_reference(path: Path) -> Reference:
    """Read true tags.

    Raises:
        SettingsError: it cannot be read, or makes no sense.
    """
    return parse_reference(read_text(path), str(path))
