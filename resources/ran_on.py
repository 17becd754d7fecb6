"""What each stage's model really ran on when it last ran, per machine: no fallback to a slower provider is forgotten.

Small files in the data folder, which all workers share. What does not belong here: the choice (``onnx_providers``).
"""

import hashlib
import json
import platform
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from resources.files import write_within
from resources.onnx_session import NOT_LOADED

#: Part of what sessions say where a slower provider runs than the one wanted.
_FELL_BACK = "(wanted "


def fell_back(provider: str) -> bool:
    """Whether a model says that a slower provider runs than the one wanted."""
    return _FELL_BACK in provider


@dataclass(frozen=True, slots=True)
class RanOn:
    """One stage's last run on one machine.

    Attributes:
        stage: name of the stage.
        provider: as :attr:`resources.onnx_session.OnnxSession.provider` says it.
        host: name of the machine.
        at: when, aware UTC.
    """

    stage: str
    provider: str
    host: str
    at: datetime

    @property
    def fell_back(self) -> bool:
        """Whether a slower provider ran than the one wanted."""
        return fell_back(self.provider)


class RanOnBook:
    """Keeps and tells it.

    Args:
        folder: of the book alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, stage: str, provider: str) -> None:
        """Remember it of this machine; a model that was not needed says nothing.

        Raises:
            StorageError: it cannot be written.
        """
        if provider == NOT_LOADED:
            return
        host = platform.node()
        told = {"stage": stage, "provider": provider, "host": host, "at": datetime.now(UTC).isoformat()}
        # Names of machines may hold what names of files may not.
        path = self._folder / f"{stage}-{hashlib.sha256(host.encode()).hexdigest()[:12]}.json"
        write_within(self._folder, path, json.dumps(told).encode())

    def told(self) -> dict[str, list[RanOn]]:
        """By stage, the newest first; a damaged page is as good as none."""
        found: dict[str, list[RanOn]] = defaultdict(list)
        for path in self._folder.glob("*.json"):
            try:
                page = json.loads(path.read_bytes())
                one = RanOn(page["stage"], page["provider"], page["host"], datetime.fromisoformat(page["at"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue
            found[one.stage].append(one)
        return {stage: sorted(ones, key=lambda one: one.at, reverse=True) for stage, ones in found.items()}
