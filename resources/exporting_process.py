"""Runs an export job in a process of its own, with the libraries kept from everything but the job.

What does not belong here: what that process does (``exporting_child``), and what becomes of the result.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resources.export_job import Job, Made, Report
from tagging_assets.domain.errors import ModelFailed

#: The largest models of the catalogue take some minutes on two cores.
TIMEOUT_SECONDS = 3600.0

_ROOT = Path(__file__).resolve().parents[1]

#: What keeps the libraries from the network, from installing packages, from the user's own folders and from the GPU,
#: and has ultralytics load checkpoints with ``weights_only``.
_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
    "ULTRALYTICS_SAFE_LOAD": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_OFFLINE": "true",
}


def run_job(job: Job, work: Path, report: Report, timeout_seconds: float = TIMEOUT_SECONDS) -> Made:
    """Do a job.

    Args:
        job: its photos are written, its folder is there.
        work: for whatever the libraries write.
        report: told of progress.
        timeout_seconds: then it is ended.

    Raises:
        ModelFailed: it did not work out; one line says why.
    """
    described = work / "job.json"
    described.write_text(job.model_dump_json(), encoding="utf-8")
    log = work / "log.txt"
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        **_ENVIRONMENT,
        "PYTHONPATH": os.pathsep.join(paths),
        "TORCH_HOME": str(work),
        "YOLO_CONFIG_DIR": str(work),
    }
    last: dict[str, Any] = {}
    with log.open("wb") as chatter:
        process = subprocess.Popen(  # noqa: S603 (our own interpreter on our own module)
            [sys.executable, "-m", "resources.exporting_child", str(described)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=chatter,
            env=environment,
            text=True,
        )
        clock = threading.Timer(timeout_seconds, process.kill)
        clock.start()
        try:
            for line in process.stdout or ():
                last = json.loads(line)
                if "say" in last:
                    report(last["say"])
            code = process.wait()
        finally:
            timed_out = not clock.is_alive()
            clock.cancel()
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
    if "made" in last:
        return Made.model_validate(last["made"])
    raise ModelFailed(f"cannot export {job.entry}: {_why(last, code, log, timeout_seconds if timed_out else None)}")


def _why(last: Mapping[str, Any], code: int, log: Path, timed_out: float | None) -> str:
    if timed_out is not None:
        return f"it took longer than {timed_out:g} s; try again on a machine with less to do"
    if "failed" in last:
        return str(last["failed"])
    if code < 0:
        return f"the process was ended by signal {-code}; is there enough memory?"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else f"the process ended with code {code}"
