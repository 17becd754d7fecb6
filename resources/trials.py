"""A model tried on a photo, in a process of its own: whether it works, what it runs on, how fast and in which memory.

A process of its own, for its memory can be told apart and a library that aborts takes nothing with it. What does not
belong here: what is done in that process (``trial_child``), and how good a model is (``benchmarks``).
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from resources.catalogue import Capability
from resources.onnx_session import DEFAULT_OPTIONS, OnnxOptions

_TIMEOUT_SECONDS = 600.0


class Trial(BaseModel):
    """What was seen.

    Attributes:
        error: why it does not work, one line; ``""`` where it does.
        untried: why it was not tried at all; ``""`` where it was.
        provider: execution provider that really ran.
        precision: of its files: fp32, fp16 or int8; ``""`` where the model has but one.
        unit: what was given to it: ``picture``, ``crop`` of a person, or ``text``.
        load_seconds: from the first call to its answer, the self-test included.
        milliseconds: for one unit, the median of several, warm, one at a time.
        memory_mb: most memory of the process while it loaded and ran, less what it had before.
        found: what it found in the photo, best first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    error: str = ""
    untried: str = ""
    provider: str = ""
    precision: str = ""
    unit: str = "picture"
    load_seconds: float = 0.0
    milliseconds: float = 0.0
    memory_mb: float = 0.0
    found: tuple[str, ...] = ()

    @property
    def per_second(self) -> float:
        """Units per second, one at a time."""
        return 1000 / self.milliseconds if self.milliseconds else 0.0


@dataclass(frozen=True)
class Candidate:
    """What is to be tried.

    Attributes:
        name: entry of the catalogue.
        cache_dir: weights folder that has its files; nothing is fetched.
        said: its knobs.
        options: what it runs on.
        entry: the entry itself, as YAML would give it, where the catalogue does not have it.
    """

    name: str
    cache_dir: Path
    said: Mapping[str, Capability]
    options: OnnxOptions = DEFAULT_OPTIONS
    entry: Mapping[str, Any] | None = None

    def told(self) -> str:
        """As the child reads it."""
        return json.dumps({**asdict(self), "cache_dir": str(self.cache_dir), "said": dict(self.said)})


def try_model(candidate: Candidate, timeout_seconds: float = _TIMEOUT_SECONDS) -> Trial:
    """Try a model on the photo of its self-test.

    A model that does not work is no error here: the trial says so.
    """
    command = [sys.executable, "-m", "resources.trial_child"]
    environment = {**os.environ, "TAGGING_OFFLINE": "1"}
    root = Path(__file__).resolve().parents[1]
    try:
        done = subprocess.run(  # noqa: S603 - this program, and nothing of a user's in the command
            command,
            input=candidate.told(),
            capture_output=True,
            text=True,
            cwd=root,
            env=environment,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Trial(error=f"no answer within {timeout_seconds:g} seconds")
    if done.returncode != 0:
        return Trial(error=f"its process {_ended(done.returncode)}{_last_line(done.stderr)}")
    try:
        return Trial.model_validate_json(done.stdout.strip().splitlines()[-1])
    except (ValidationError, IndexError):
        return Trial(error=f"its process gave no answer{_last_line(done.stderr)}")


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f": {lines[-1][:300]}" if lines else ""
