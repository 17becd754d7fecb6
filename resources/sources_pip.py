"""Wheels through the user's own pip: its indexes, mirrors, proxies and credentials, none of them named here.

What does not belong here: taking members out of wheels (``sources``).
"""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from resources.files import private_folder
from resources.sources_http import SourceFailed

#: From here on ``--dry-run --report`` answers without downloading the wheel itself.
_REPORTS_WITHOUT_DOWNLOAD = (23, 3)
_COMMON = ("--no-deps", "--only-binary=:all:", "--quiet", "--progress-bar=off")
_LINK_SECONDS = 120
_DOWNLOAD_SECONDS = 3600


def wheel_link(requirement: str) -> str | None:
    """Where pip would take the wheel from, as an ``https:``, ``http:`` or ``file:`` URL.

    Args:
        requirement: ``NAME==VERSION``.

    Returns:
        ``None`` where pip cannot tell, or not without downloading: then :func:`download_wheel` serves as well, and
        says what is wrong.
    """
    try:
        if _pip_version() < _REPORTS_WITHOUT_DOWNLOAD:
            return None
        options = ("--dry-run", "--ignore-installed", "--use-feature=fast-deps", "--report=-")
        answer = _pip(["install", *_COMMON, *options, requirement], seconds=_LINK_SECONDS)
        return str(json.loads(answer)["install"][0]["download_info"]["url"])
    except (SourceFailed, ValueError, LookupError, TypeError):
        return None


def download_wheel(requirement: str, folder: Path) -> Path:
    """Have pip download the wheel into an empty folder.

    Raises:
        SourceFailed: pip finds no such wheel or cannot download it, or there is no pip.
    """
    private_folder(folder)
    _pip(["download", *_COMMON, f"--dest={folder}", requirement], seconds=_DOWNLOAD_SECONDS)
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise SourceFailed(f"pip gave no wheel for {requirement}")
    return wheels[0]


def pip_command() -> list[str]:
    """How to run pip here: the environment's own, else the one Python carries for making environments.

    Raises:
        SourceFailed: there is neither.
    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip and ensurepip.origin:
        # A wheel is a zip file that Python can run from, so nothing needs installing.
        for wheel in sorted(Path(ensurepip.origin).parent.glob("_bundled/pip-*.whl")):
            return [sys.executable, str(wheel / "pip")]
    uv = shutil.which("uv")
    if uv:
        return [uv, "tool", "run", "--python", sys.executable, "pip"]
    raise SourceFailed("this Python has no pip: run `python -m ensurepip --upgrade` or `uv pip install pip`")


def pip_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip: never asks, never checks for updates, and knows uv's index if only uv is set up."""
    result = {**environment, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    index = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
    if index and not importlib.util.find_spec("pip"):
        result.setdefault("PIP_INDEX_URL", index)
    return result


def _pip_version() -> tuple[int, ...]:
    try:
        version = importlib.metadata.version("pip")
    except importlib.metadata.PackageNotFoundError:
        version = Path(pip_command()[1]).parent.name.removeprefix("pip-")
    digits = version.split("-")[0].split(".")[:2]
    return tuple(int(d) for d in digits if d.isdigit())


def _pip(arguments: Sequence[str], *, seconds: float) -> str:
    command = [*pip_command(), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - arguments come from the catalogue, and no shell reads them
            command,
            env=pip_environment(os.environ),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"pip gave no answer about {arguments[-1]} within {seconds:.0f} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = (lines or done.stderr.splitlines() or ["no reason given"])[-1].removeprefix("ERROR: ")
        raise SourceFailed(f"pip cannot get {arguments[-1]}: {reason}")
    return done.stdout
