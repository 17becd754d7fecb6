"""The whole line over a folder of drawn photos: real Postgres, real tables and files, fake models.

What does not belong here: assertions.
"""

import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
from PIL import Image, ImageDraw

from resources.database import Database
from resources.tables import metadata
from resources.toolbox import Toolbox
from tagging_assets import run_tags
from tagging_assets.assets.line import Line
from tagging_assets.definitions import build_defs
from tagging_assets.domain.frames import StageFrame
from tagging_assets.domain.retrying import Retrying
from tagging_assets.settings import DEFAULT_SETTINGS, Settings
from tests.fakes import Fake, FakeChat, FakeDetector, FakeEncoder, FakeLandmarker, FakeScorer, FakeTagger

MIDDLE = (0.3, 0.1, 0.7, 0.9)

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

_LABEL_SETS = {
    "things": """
name: things
scope: image
category: object
topics: [objects]
threshold: 0.5
labels: [{name: person, evidence: person_score}, {name: dog}, {name: boat}, {name: lamp}]
""",
    "worn": """
name: worn
scope: person
category: accessory
topics: [objects]
threshold: 0.5
labels: [{name: hat}, {name: scarf}]
""",
}


def draw(path: Path, seed: int, size: tuple[int, int] = (240, 160)) -> Path:
    """A photo that no other seed gives: coloured blocks on a coloured ground."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, ((seed * 67) % 256, (seed * 31) % 256, 90))
    pen = ImageDraw.Draw(picture)
    for block in range(4):
        left, top = (seed * 13 + block * 53) % size[0], (seed * 7 + block * 37) % size[1]
        pen.rectangle((left, top, left + 40, top + 30), fill=((block * 60) % 256, (seed * 91) % 256, 200))
    picture.save(path, quality=92)
    return path


def clear(database: Database) -> None:
    """Forget every photo, tag and call; history and decisions can only be emptied as a whole."""
    names = ", ".join(f'{table.schema}."{table.name}"' for table in metadata.sorted_tables)
    with database.engine.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))


class Workshop:
    """A project of its own: photos in ``photos``, data in ``data``, label sets and prompts in ``prompts``."""

    def __init__(self, root: Path, database: Database, **said: Any) -> None:
        clear(database)
        self.photos = root / "photos"
        self.photos.mkdir()
        self.prompts = root / "prompts"
        shutil.copytree(DEFAULT_SETTINGS.parent / "prompts" / "llm", self.prompts / "llm")
        self._data = root / "data"
        self._database = database
        self.instance = dg.DagsterInstance.ephemeral()
        self.detector = FakeDetector((0.9, MIDDLE))
        self.landmarker = FakeLandmarker()
        self.encoder = FakeEncoder()
        self.tagger = FakeTagger({"boat": 0.9, "muslim woman": 0.8})
        self.scorer = FakeScorer({"dog": 0.95, "hat": 0.9})
        self.chat = FakeChat()
        for name, text in _LABEL_SETS.items():
            self.write_label_set(name, text)
        self.said = said
        self.reopen()

    def write_label_set(self, name: str, text: str) -> None:
        path = self.prompts / "labels" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def edit_prompt(self, line: str = "Answer at once.") -> None:
        """Add a line to what the chat model is asked."""
        path = self.prompts / "llm" / "select.md"
        path.write_text(f"{path.read_text()}\n{line}\n")
        self.reopen()

    def reopen(self, **said: Any) -> None:
        """Read settings, label sets and prompts anew, as another process would; the models stay."""
        self.said = {**self.said, **said}
        settings = Settings.model_validate(
            {
                "data_dir": self._data,
                "sources": [{"path": self.photos}],
                "prompts_dir": self.prompts,
                "label_sets": ["things", "worn"],
                "inference": {"threads": 1},
                "images": {"settle_seconds": 0},
                **self.said,
            }
        )
        self.tools = Toolbox(settings, self._database)
        # The toolbox makes each tool at first use and keeps it here; what is here already is not made.
        self.tools.__dict__.update(
            detector=self.detector,
            landmarker=self.landmarker,
            encoder=self.encoder,
            tagger=self.tagger,
            zero_shot_scorer=self.scorer,
        )
        if settings.llm.enabled:
            self.tools.__dict__["chat"] = self.chat

    @property
    def line(self) -> Line:
        return Line(self.tools.bench.store, self.tools.recipes, self.tools.manifest, self.tools.states)

    @property
    def fakes(self) -> Mapping[str, Fake]:
        return {
            "detector": self.detector,
            "landmarker": self.landmarker,
            "encoder": self.encoder,
            "tagger": self.tagger,
            "scorer": self.scorer,
            "chat": self.chat,
        }

    def draw(self, *names: str, start: int = 1) -> None:
        for seed, name in enumerate(names, start):
            draw(self.photos / name, seed)

    def run(
        self, batch: str = "b000001", *, raises: bool = True, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Look at the folder, then run the job over one batch, as somebody who asks for it does."""
        self.tools.intake.look()
        self.instance.add_dynamic_partitions("image_batch", [batch])
        job = build_defs(resource_overrides={"toolbox": self.tools}).resolve_job_def("tag_images")
        return job.execute_in_process(
            partition_key=batch,
            instance=self.instance,
            raise_on_error=raises,
            run_config=_QUIET,
            tags={run_tags.RETRYING: Retrying.NOW.value, **(tags or {})},
        )

    def cost(self, batch: str = "b000001") -> dict[str, int]:
        """Run, and say which models were asked about how much; models that were not asked are left out."""
        before = Counter({name: fake.asked for name, fake in self.fakes.items()})
        assert self.run(batch).success
        return dict(Counter({name: fake.asked for name, fake in self.fakes.items()}) - before)

    def is_fresh(self, batch: str = "b000001") -> bool:
        """Whether a run now would change nothing."""
        return not self.line.stale_batches([batch], now=datetime.now(UTC))

    def frame(self, stage: str, batch: str = "b000001") -> StageFrame:
        return self.tools.bench.store.read(stage, batch)

    def published(self) -> dict[str, set[str]]:
        """Live tags by file name."""
        found: dict[str, set[str]] = {}
        for row in self.tools.publisher.tags():
            found.setdefault(Path(row["uri"]).name, set()).add(row["tag"])
        return found

    def close(self) -> None:
        self.tools.close()
        self.instance.dispose()
