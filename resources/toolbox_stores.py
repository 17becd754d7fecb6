"""The tools that keep and find things: tables in files and in Postgres, pictures, photos."""

import os
from functools import cached_property

from resources.calibrations import Calibrations
from resources.claims import Claims
from resources.database import Database
from resources.decisions import Decisions
from resources.decoder_pool import DecoderPool
from resources.experiment_files import ExperimentFiles
from resources.experiments import Experiments
from resources.frame_store import FrameStore
from resources.gallery import Gallery
from resources.history import History
from resources.intake import Intake
from resources.ledger import Ledger
from resources.manifest import Manifest
from resources.promotions import Promotions
from resources.proxy_store import ProxyStore
from resources.publisher import Publisher
from resources.ran_on import RanOnBook
from resources.row_store import RowStore
from resources.states import States
from resources.votes import Votes
from resources.workbench import Reporter, Silent
from tagging_assets.settings import Settings


class Stores:
    """Makes each store once, at first use; the lowest layer of the toolbox.

    Args:
        settings: validated.
        database: open and migrated.
        reporter: told about progress.
    """

    def __init__(self, settings: Settings, database: Database, reporter: Reporter | None = None) -> None:
        self.settings = settings
        self._database = database
        self._reporter = reporter or Silent()

    @property
    def database(self) -> Database:
        """The project's Postgres."""
        return self._database

    @cached_property
    def tables(self) -> FrameStore:
        """What the stages hold."""
        return FrameStore(self.settings.data_dir / "tables")

    @cached_property
    def states(self) -> States:
        """What each stage holds of each batch, summed up."""
        return States(self.database.engine)

    @cached_property
    def ran_on(self) -> RanOnBook:
        """What the stages' models really ran on."""
        return RanOnBook(self.settings.data_dir / "providers")

    @cached_property
    def claims(self) -> Claims:
        """Who has asked for a batch."""
        return Claims(self.database.engine)

    @cached_property
    def manifest(self) -> Manifest:
        """Which photos there are."""
        return Manifest(self.database.engine)

    @cached_property
    def intake(self) -> Intake:
        """Takes photos in."""
        images = self.settings.images
        return Intake(
            self.manifest,
            [source.path for source in self.settings.sources],
            batch_size=images.batch_size,
            settle_seconds=images.settle_seconds,
            threads=self.threads,
        )

    @cached_property
    def publisher(self) -> Publisher:
        """Published tags."""
        return Publisher(self.database.engine)

    @cached_property
    def history(self) -> History:
        """What happened to published tags."""
        return History(self.database.engine)

    @cached_property
    def decisions(self) -> Decisions:
        """What people say about tags."""
        return Decisions(self.database.engine, self.settings.rules.canonical)

    @cached_property
    def votes(self) -> Votes:
        """What people say about answers of experiments."""
        return Votes(self.database.engine)

    @cached_property
    def experiments(self) -> Experiments:
        """What was asked of whom about which photos."""
        return Experiments(self.database.engine)

    @cached_property
    def experiment_files(self) -> ExperimentFiles:
        """Experiments that people have written down."""
        return ExperimentFiles(self.settings.prompts_dir / "experiments")

    @cached_property
    def promotions(self) -> Promotions:
        """Which contestants became the production recipe."""
        return Promotions(self.database.engine)

    @cached_property
    def benchmark_rows(self) -> RowStore:
        """Answers and scores of experiments."""
        return RowStore(self.settings.data_dir / "tables")

    @cached_property
    def calibrations(self) -> Calibrations:
        """What was fitted to decisions."""
        return Calibrations(self.database.engine)

    @cached_property
    def ledger(self) -> Ledger:
        """Calls of the chat model."""
        return Ledger(self.database.engine)

    @cached_property
    def proxy_files(self) -> ProxyStore:
        """Working copies."""
        return ProxyStore(self.settings.data_dir)

    @cached_property
    def decoders(self) -> DecoderPool:
        """Decodes photos."""
        images = self.settings.images
        return DecoderPool(seconds=images.decode_seconds, max_megapixels=images.max_megapixels)

    @cached_property
    def gallery(self) -> Gallery:
        """Entries of contact sheets."""
        return Gallery(self.tables, self.proxy_files)

    @cached_property
    def threads(self) -> int:
        """Photos worked on at once."""
        return self.settings.inference.threads or len(os.sched_getaffinity(0))
