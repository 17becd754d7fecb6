"""Experiments and promotions in Postgres, and files that describe experiments."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from resources.database import Database
from resources.experiment_files import ExperimentFiles, load_reference, load_spec
from resources.experiments import Experiments, Paid
from resources.promotions import Promotions, Said
from resources.tables import llm_call
from tagging_assets.domain.chat_settings import Chat, Sampling
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.experiment_spec import expand
from tagging_assets.domain.experiments import Configuration, Experiment, Judge
from tagging_assets.domain.scoreboard import Options
from tagging_assets.settings import DEFAULT_SETTINGS
from tests.workshop import clear

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

MINE = Experiment(
    "mine",
    "which?",
    (Configuration("a", "m", "p", "quick", Sampling(temperature=0.5), {"max_tags": 3}), Configuration("b", "n", "p")),
    ("1", "2"),
    repeats=2,
    reference={"1": ("dog",), "2": ()},
    judge=Judge("j"),
    budget_usd=0.5,
    options=Options(leave_one_out=False),
)


@pytest.fixture
def experiments(database: Database) -> Experiments:
    clear(database)
    return Experiments(database.engine)


def test_an_experiment_is_what_was_kept_last(experiments: Experiments) -> None:
    assert experiments.find("mine") is None
    assert experiments.keep(MINE, who="anna", now=NOON)
    assert experiments.get("mine") == MINE
    assert not experiments.keep(MINE, who="ben", now=NOON + timedelta(hours=1)), "nothing changed"
    (kept,) = experiments.all()
    assert (kept.who, kept.at) == ("anna", NOON)
    other = replace(MINE, purpose="who?")
    assert experiments.keep(other, who="ben", now=NOON + timedelta(hours=2))
    assert experiments.get("mine") == other
    with pytest.raises(SettingsError, match="no experiment 'yours' was run; there are: mine"):
        experiments.get("yours")


def test_what_was_paid_for_a_purpose(experiments: Experiments, database: Database) -> None:
    common = {
        **dict.fromkeys(("request_hash", "provider", "model", "prompt_id", "prompt_hash", "outcome"), "x"),
        "parameters": {},
        "latency_seconds": 1.0,
    }
    rows = [
        {**common, "purpose": "experiment/mine", "cost_usd": Decimal("0.25"), "asked_at": NOON},
        {**common, "purpose": "experiment/mine", "cost_usd": None, "asked_at": NOON + timedelta(hours=1)},
        {**common, "purpose": "", "cost_usd": Decimal(7), "asked_at": NOON},
    ]
    with database.engine.begin() as connection:
        connection.execute(sa.insert(llm_call), rows)
    assert experiments.paid({"experiment/mine"}) == Paid(2, Decimal("0.25"), 1)
    assert experiments.paid({"experiment/mine"}, NOON + timedelta(minutes=1)) == Paid(1, Decimal(0), 1)
    assert experiments.paid({"experiment/other"}) == Paid(0, Decimal(0), 0)


def test_the_newest_promotion_of_a_file_that_holds(experiments: Experiments, database: Database) -> None:
    promotions, path = Promotions(database.engine), Path("/s.yaml")
    assert promotions.latest(path) is None
    first, second, third = (Said({"prompt": name}, f"llm:\n  prompt: {name}\n") for name in "abc")
    promotions.record(("mine", "a"), path, first, second, by=("anna", "better"), now=NOON)
    newest = promotions.record(("mine", "b"), path, second, third, by=("ben", ""), now=NOON)
    promotions.record(("mine", "b"), Path("/other.yaml"), second, third, by=("ben", ""), now=NOON)
    last = promotions.latest(path)
    assert last is not None
    assert (last.promotion_id, last.configuration, last.before, last.after) == (newest, "b", second, third)
    promotions.take_back(newest, NOON)
    last = promotions.latest(path)
    assert last is not None
    assert (last.configuration, last.who, last.why, last.before) == ("a", "anna", "better", first)


def test_the_embedded_experiment_has_three_contestants() -> None:
    files = ExperimentFiles(DEFAULT_SETTINGS.parent / "prompts" / "experiments")
    assert "embedded" in files.names()
    path = files.path("embedded")
    assert path is not None
    spec = load_spec(path)
    assert [one.label for one in expand(spec, Chat())] == ["select-t0", "select-t0.8", "select-brief-t0"]
    assert spec.images.limit == 24


def test_files_and_names(tmp_path: Path) -> None:
    files = ExperimentFiles(tmp_path / "none")
    assert files.names() == []
    assert files.path("mine") is None
    with pytest.raises(SettingsError, match=r"mine\.yaml is not there"):
        files.path("mine.yaml")
    path = tmp_path / "mine.yaml"
    path.write_text("prompts: [a]\nreference: true.json\n")
    assert files.path(str(path)) == path
    spec = load_spec(path)
    # the file's name, and paths that count from its folder
    assert (spec.name, spec.reference) == ("mine", tmp_path / "true.json")
    path.write_text("prompts: [")
    with pytest.raises(SettingsError, match="is not YAML"):
        load_spec(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_reference(tmp_path / "true.json")
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="is not UTF-8"):
        load_reference(path)
