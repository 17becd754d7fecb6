"""From stored answers, votes and marks to a scoreboard, and from a scoreboard to files.

What does not belong here: rules and statistics (``tagging_assets/domain/scoring.py``, ``scoreboard_making.py``), how
reports look (``reports``).
"""

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pydantic

from resources.decisions import Decisions
from resources.files import write_atomically, write_output, write_within
from resources.frame_store import FrameStore
from resources.interviews import Interviews
from resources.photo_jpegs import PhotoJpegs
from resources.proxy_store import ProxyStore
from resources.row_store import RowStore
from resources.votes import Votes
from tagging_assets.domain.errors import ImageError, SettingsError, StorageError
from tagging_assets.domain.experiments import Experiment
from tagging_assets.domain.identity import last_place, path_of
from tagging_assets.domain.path_names import path_name
from tagging_assets.domain.relevance import marks_of_decisions
from tagging_assets.domain.schemas import BENCHMARK_SCORES
from tagging_assets.domain.scoreboard import Scoreboard
from tagging_assets.domain.scoreboard_making import PhotoFacts, make_scoreboard, score_rows
from tagging_assets.domain.voting import Mark

#: Long side of photos in reports, pixels.
_THUMBNAIL = 480

_SECOND_NS = 1_000_000_000
_FORM = pydantic.TypeAdapter(Scoreboard)


@dataclass(frozen=True)
class Scoreboards:
    """Makes and keeps scoreboards.

    Attributes:
        folder: one folder per experiment: ``scoreboard.json`` and the reports.
        interviews: what was answered about which photos.
        rows: where scores are kept.
        votes: blind comparisons and marks.
        decisions: people's decisions, which are marks too.
        frames: knows the photos' working copies.
        proxy_files: holds them.
    """

    folder: Path
    interviews: Interviews
    rows: RowStore
    votes: Votes
    decisions: Decisions
    frames: FrameStore
    proxy_files: ProxyStore

    def make(self, experiment: Experiment, now: datetime) -> Scoreboard:
        """Score what was answered, and keep scores and scoreboard.

        Args:
            experiment: what was asked of whom.
            now: aware UTC; shown as the time of the report.

        Raises:
            SettingsError: nobody was asked yet.
            StorageError: it cannot be kept.
        """
        answers = self.interviews.answers(experiment)
        if not answers:
            raise SettingsError(f"nobody was asked yet; run `tagging experiment run {experiment.name}`")
        board = make_scoreboard(
            experiment=experiment.name,
            purpose=experiment.purpose,
            made_at=now,
            contestants=experiment.configurations,
            answers=answers,
            photos=self._facts(experiment),
            marks=self.marks(experiment),
            votes=self.votes.of(experiment.name),
            options=experiment.options,
        )
        self.rows.write(BENCHMARK_SCORES, score_rows(board), experiment.name)
        path = self._path(experiment.name)
        write_within(self.folder, path, _FORM.dump_json(board, indent=1))
        return board

    def read(self, name: str) -> Scoreboard:
        """The scoreboard as it was last made.

        Raises:
            SettingsError: there is none.
            StorageError: it was written by another version of this project.
        """
        path = self._path(name)
        try:
            return _FORM.validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise SettingsError(f"experiment {name} was not scored yet; run `tagging experiment run {name}`") from error
        except (pydantic.ValidationError, OSError) as error:
            raise StorageError(
                f"{path} cannot be read; write it anew with `tagging experiment report {name}`"
            ) from error

    def report(self, experiment: Experiment, folder: Path | None = None) -> list[Path]:
        """Write the reports of the scoreboard that was last made.

        Args:
            experiment: what was asked of whom.
            folder: of the experiment by default.

        Raises:
            DiskFull, StorageError: the files cannot be written.
        """
        # Draws with a library that takes a second to load.
        from resources.reports import write_reports

        board = self.read(experiment.name)
        # What a user names is the user's; what is kept with the project is for nobody else.
        place, write = (folder, write_output) if folder else (self._folder(experiment.name), write_atomically)
        return write_reports(board, self.thumbnails(experiment), place, write)

    def reports(self, name: str) -> list[Path]:
        """Files that were written last, in the folder of the experiment."""
        return sorted(path for path in self._folder(name).iterdir() if path != self._path(name))

    def marks(self, experiment: Experiment) -> list[Mark]:
        """What people say about relevance: their marks, and their decisions about tags."""
        listed = self.decisions.listing(experiment.image_ids)
        decided = marks_of_decisions({**asdict(one), "image_id": image_id} for image_id, one in listed)
        return [*decided, *self.votes.marks(experiment.image_ids)]

    def thumbnails(self, experiment: Experiment) -> dict[str, bytes]:
        """JPEG files by photo; photos whose working copy is gone are left out."""
        photos = experiment.image_ids
        pictures = PhotoJpegs(self.frames, self.proxy_files, self.decisions.batches(photos), photos, _THUMBNAIL)
        found: dict[str, bytes] = {}
        for image_id in photos:
            # A report without one picture is better than none.
            with suppress(ImageError, StorageError):
                found[image_id] = pictures.of(image_id)
        return found

    def _facts(self, experiment: Experiment) -> list[PhotoFacts]:
        photos = self.interviews.photos(experiment)
        collected: dict[str, int] = {}
        for ref in photos:
            collected[ref.batch] = min(ref.first_seen_ns, collected.get(ref.batch, ref.first_seen_ns))
        return [
            PhotoFacts(
                image_id=ref.image_id,
                title=PurePosixPath(path_of(last_place(ref.uri))).name,
                batch=ref.batch,
                collected=datetime.fromtimestamp(collected[ref.batch] / _SECOND_NS, UTC),
                reference=experiment.reference.get(ref.image_id),
            )
            for ref in photos
        ]

    def _folder(self, name: str) -> Path:
        return self.folder / path_name(name)

    def _path(self, name: str) -> Path:
        return self._folder(name) / "scoreboard.json"
