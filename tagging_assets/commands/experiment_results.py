"""``tagging experiment list``, ``show`` and ``report``: what experiments came to; nothing is asked."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tagging_assets.commands.console import print_note, print_table
from tagging_assets.commands.session import Session
from tagging_assets.domain.scoreboard import Scoreboard
from tagging_assets.domain.scoreboard_words import count
from tagging_assets.domain.standings_text import COLUMNS, money, standings_rows


def listing(session: Session) -> list[dict[str, Any]]:
    """Experiments that were run, the newest first, and files of those that were not."""
    tools = session.toolbox
    kept = tools.experiments.all()
    told = []
    for one in kept:
        experiment = one.experiment
        paid = tools.experiments.paid({experiment.purpose_of_calls})
        told.append(
            {
                "name": experiment.name,
                "purpose": experiment.purpose,
                "contestants": [each.label for each in experiment.configurations],
                "photos": len(experiment.image_ids),
                "repeats": experiment.repeats,
                "cost_usd": None if paid.unknown else float(paid.cost_usd),
                "who": one.who,
                "at": one.at,
            }
        )
    known = {one["name"] for one in told}
    empty = {"purpose": "", "contestants": [], "photos": 0, "repeats": 0, "cost_usd": None, "who": "", "at": None}
    return [*told, *({"name": name, **empty} for name in tools.experiment_files.names() if name not in known)]


def show_list(told: Sequence[dict[str, Any]]) -> None:
    """Tell a person."""
    print_table(
        "1 experiment" if len(told) == 1 else f"{len(told)} experiments",
        ["name", "purpose", "contestants", "photos", "cost", "changed"],
        [
            (
                one["name"],
                one["purpose"],
                ", ".join(one["contestants"]),
                one["photos"] or "",
                money(one["cost_usd"]) if one["at"] else "",
                f"{one['at']:%Y-%m-%d %H:%M} by {one['who']}" if one["at"] else "not run yet",
            )
            for one in told
        ],
    )


def board_of(session: Session, name: str) -> Scoreboard:
    """The scoreboard as it was last made.

    Raises:
        SettingsError: no such experiment, or it was not scored yet.
    """
    return session.toolbox.scoreboards.read(session.toolbox.experiments.get(name).name)


def board_json(board: Scoreboard) -> dict[str, Any]:
    """For programs: everything but the photos' answers, which the tables hold."""
    told = asdict(board)
    told["photos"] = len(board.photos)
    for one, standing in zip(told["standings"], board.standings, strict=True):
        one["invalid_rate"] = standing.invalid_rate
    return told


def show_board(board: Scoreboard) -> None:
    """Tell a person."""
    rows = [[cell for cell in row] for row in standings_rows(board)]
    said = [place for place, _ in enumerate(COLUMNS) if any(row[place] for row in rows)]
    title = f"{board.experiment}: {count(len(board.photos), 'photo')}, scored {board.made_at:%Y-%m-%d %H:%M} UTC"
    print_table(title, [COLUMNS[place] for place in said], [[row[place] for place in said] for row in rows])
    for note in board.notes:
        print_note(f"- {note}")


def report(session: Session, name: str, out: Path | None) -> list[Path]:
    """Score anew with the marks and votes of now, and write the reports.

    Raises:
        SettingsError: no such experiment, or nobody was asked yet.
        StorageError: the files cannot be written.
    """
    experiment = session.toolbox.experiments.get(name)
    session.toolbox.scoreboards.make(experiment, datetime.now(UTC))
    return session.toolbox.scoreboards.report(experiment, out)
