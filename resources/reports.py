"""The reports of an experiment: a page, a workbook, a document and plots, in one folder.

Each file is written whole or not at all, and the same scoreboard gives the same bytes. What does not belong here: what
is in them (``domain.scoreboard_page``, ``report_workbook``, ``report_document``, ``report_plots``).
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from resources.files import storage_error, write_output
from resources.report_document import document_pdf
from resources.report_plots import DARK, LIGHT, Look, ratings_png, recall_png, score_against_cost_png
from resources.report_workbook import workbook_xlsx
from tagging_assets.domain.scoreboard import Scoreboard
from tagging_assets.domain.scoreboard_page import Plot, scoreboard_page
from tagging_assets.domain.scoreboard_words import headline

#: Puts bytes into a file, whole or not at all.
Write = Callable[[Path, bytes], None]
_Draw = Callable[[Scoreboard, Look], bytes | None]

#: File, heading, what is to be seen for those who do not see it, and who draws it; the most telling one first.
_PLOTS: tuple[tuple[str, str, str, _Draw], ...] = (
    (
        "score-against-cost.png",
        "Score against cost",
        "Points per photo against dollars per 1,000 questions. The table of standings has the same numbers.",
        score_against_cost_png,
    ),
    (
        "recall.png",
        "Recall",
        "Recall of each contestant with its 95 % interval. The table of standings has the same numbers.",
        recall_png,
    ),
    (
        "ratings.png",
        "Ratings out of blind votes",
        "Rating of each contestant with its 95 % interval. The table of standings has the same numbers.",
        ratings_png,
    ),
)


def write_reports(
    board: Scoreboard, thumbnails: Mapping[str, bytes], folder: Path, write: Write = write_output
) -> list[Path]:
    """Write ``index.html``, ``scores.xlsx``, ``report.pdf`` and the plots that there is something to draw for.

    Plots of an earlier time that would now show nothing are removed.

    Args:
        board: what the experiment came to.
        thumbnails: image id to JPEG file; photos without one are shown by name.
        folder: where; made if it is not there.
        write: puts bytes into a file, whole or not at all.

    Returns:
        The files, the page first.

    Raises:
        StorageError: the folder cannot be written to.
        DiskFull: there is no space left.
    """
    made: dict[str, tuple[str, str, bytes, bytes]] = {}
    for name, title, told, draw in _PLOTS:
        light, dark = draw(board, LIGHT), draw(board, DARK)
        if light is not None and dark is not None:
            made[name] = (title, told, light, dark)
    written = [_written(write, folder / name, content) for name, content in _contents(board, thumbnails, made)]
    for name, *_ in _PLOTS:
        if name not in made:
            (folder / name).unlink(missing_ok=True)
    return written


def _contents(
    board: Scoreboard, thumbnails: Mapping[str, bytes], made: Mapping[str, tuple[str, str, bytes, bytes]]
) -> Iterator[tuple[str, bytes]]:
    lead = headline(board).claim
    plots = tuple(Plot(title, f"{told} {lead}.", light, dark) for title, told, light, dark in made.values())
    yield "index.html", scoreboard_page(board, thumbnails, plots).encode("utf-8")
    yield "scores.xlsx", workbook_xlsx(board)
    yield "report.pdf", document_pdf(board, thumbnails, [(title, light) for title, _, light, _ in made.values()])
    for name, (_, _, light, _) in made.items():
        yield name, light


def _written(write: Write, target: Path, content: bytes) -> Path:
    try:
        write(target, content)
    except OSError as error:
        raise storage_error(error, target) from error
    return target
