"""The process in which torch runs; started by ``resources/exporting.py``, and by nothing else.

The job's path is its argument. JSON lines on standard output tell of progress, and at last what was made or what went
wrong; everything that the libraries print goes to standard error. It ends when its parent is gone.
"""

import json
import os
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from resources.export_job import Job, Original, load_photos

_PARENT_CHECK_SECONDS = 1.0


def main() -> None:
    """Export, and note what the original makes of the photos."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    # Libraries print as they like: only what is written through ``pipe`` reaches the parent.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def tell(**told: Any) -> None:
        pipe.write(json.dumps(told) + "\n")

    sys.excepthook = _hook(pipe)
    job = Job.model_validate_json(Path(sys.argv[1]).read_bytes())
    tell(say=f"loading {job.export.exporter}")
    exporter = import_module(f"resources.export_{job.export.exporter}")
    original = Original()
    made = exporter.make(job, load_photos(job.photos), original, lambda words: tell(say=words))
    np.savez(job.original, **original.arrays)  # type: ignore[arg-type]
    tell(made=made.model_dump(mode="json"))


def _hook(pipe: TextIO) -> Any:
    def failed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        words = " ".join(str(error).split())
        pipe.write(json.dumps({"failed": f"{kind.__name__}: {words}"[:400]}) + "\n")
        sys.__excepthook__(kind, error, trace)

    return failed


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
