"""A bad prompt, and the way back: the whole line, what is published, and the history, with fake models."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from resources.history import hashes
from resources.publisher import Undone
from resources.tables import published_tag
from tagging_assets import run_tags
from tagging_assets.domain.changes import Reasons
from tagging_assets.domain.verdicts import Request, Verdict
from tagging_assets.settings import DEFAULT_SETTINGS
from tests.workshop import Workshop

#: The chat model alone may publish a tag, so that its answers matter.
RULES = {"sources": {"chat model": {"weight": 0.9}}, "keep_above": 0.3}
#: The chat model may answer what nothing speaks for, so that a prompt can be bad.
MANY = {"only_evidenced": False}


@pytest.fixture
def shop(workshop: Workshop) -> Workshop:
    workshop.reopen(rules=RULES, llm=MANY)
    workshop.draw("a.jpg", "b.jpg")
    workshop.run()
    return workshop


def table(shop: Workshop) -> list[tuple[Any, ...]]:
    """Every row of ``published_tag``, column for column."""
    with shop.tools.database.engine.connect() as connection:
        chosen = sa.select(published_tag).order_by(published_tag.c.image_id, published_tag.c.tag)
        return [tuple(row) for row in connection.execute(chosen)]


def undo(shop: Workshop, target: str) -> Undone:
    def decided(batch: str) -> list[Any]:
        return [record for record in shop.frame("tags", batch).current if record.ok]

    return shop.tools.publisher.undo(target, decided=decided, who="anna", why="a bad prompt", now=datetime.now(UTC))


def ask(shop: Workshop, *, words: str, count: int) -> None:
    """Another prompt, to which the chat model answers with so many tags."""
    name = f"{shop.tools.settings.llm.prompt}.md"
    said = (DEFAULT_SETTINGS.parent / "prompts" / "llm" / name).read_text()
    (shop.prompts / "llm" / name).write_text(said + words)
    shop.chat.count = count
    shop.reopen()


def stays(shop: Workshop) -> bool:
    """Whether nothing is left to do, and another run does nothing."""
    before, fresh = table(shop), shop.is_fresh()
    shop.run()
    return fresh and table(shop) == before


def test_a_bad_prompt_is_undone_to_the_row_and_does_not_come_back(shop: Workshop) -> None:
    before, good = table(shop), shop.published()
    ask(shop, words="\nName everything.\n", count=4)
    bad = shop.run()
    assert shop.published() != good

    done = undo(shop, bad.run_id)
    assert done.way.restored > 0
    assert done.held == 2
    assert table(shop) == before
    assert stays(shop)

    # reverted: what is decided is what was restored
    ask(shop, words="", count=1)
    shop.run()
    assert table(shop) == before

    # mended: published
    ask(shop, words="\nName what you see.\n", count=2)
    shop.run()
    assert table(shop) != before
    assert stays(shop)


def test_an_undo_is_undone(shop: Workshop) -> None:
    ask(shop, words="\nName everything.\n", count=4)
    bad = shop.run()
    wrong = table(shop)
    undone = undo(shop, bad.run_id)
    undo(shop, undone.operation)
    assert table(shop) == wrong
    assert stays(shop)


def test_an_operation_over_two_batches_is_undone_by_its_id(workshop: Workshop) -> None:
    workshop.reopen(rules=RULES, llm=MANY, images={"settle_seconds": 0, "batch_size": 1})
    workshop.draw("a.jpg", "b.jpg")
    batches = ("b000001", "b000002")
    for batch in batches:
        workshop.run(batch)
    before = table(workshop)
    ask(workshop, words="\nName everything.\n", count=4)
    for batch in batches:
        workshop.run(batch, tags={run_tags.OPERATION: "0123456789abcdef"})
    assert table(workshop) != before
    history = workshop.tools.history
    assert history.resolve("012345") == "0123456789abcdef"
    told = history.operations(1)[0]
    assert (told["photos"], len(told["runs"])) == (2, 2)
    done = undo(workshop, "0123456789abcdef")
    assert done.batches == batches
    assert table(workshop) == before


def test_a_run_says_what_it_is_part_of(shop: Workshop) -> None:
    ask(shop, words="\nName everything.\n", count=4)
    result = shop.run(tags={run_tags.BACKFILL: "backfill"})
    (told,) = result.asset_materializations_for_node("published_tags")
    assert told.metadata["operation"].value == "backfill"
    assert told.metadata["tags written"].value > 0


def test_a_verdict_given_in_between_is_kept(shop: Workshop) -> None:
    ask(shop, words="\nName everything.\n", count=4)
    bad = shop.run().run_id
    (photo, *_) = shop.tools.manifest.known()
    request = Request(photo.image_id, "lamp", Verdict.REJECTED)
    now = datetime.now(UTC)
    operation = shop.tools.history.begin("decide", "bert", now=now)
    shop.tools.decisions.record([request], who="bert", operation=operation, now=now)
    shop.run(tags={run_tags.OPERATION: operation})
    done = undo(shop, bad)
    assert done.way.changed_since == 1
    assert {tag for tags in shop.published().values() for tag in tags} == {"boat", "dog", "person"}
    assert stays(shop)


def test_why_tags_changed(shop: Workshop) -> None:
    ask(shop, words="\nName everything.\n", count=4)
    asked = why(shop, shop.run().run_id)
    assert asked["boat"] == ["chat model says so too"]
    assert asked["lamp"][0] == "rests on chat model"
    assert asked["lamp"][1].startswith("chat model: prompt ")
    shop.reopen(rules={**RULES, "keep_above": 0.7})
    assert why(shop, shop.run().run_id) == {"lamp": ["rested on chat model", "rules.keep_above: 0.3 → 0.7"]}


def why(shop: Workshop, run_id: str) -> dict[str, list[str]]:
    """Reasons by tag; both photos have the same."""
    changes = shop.tools.history.changes(run_id)
    reasons = Reasons(changes, shop.tools.database.recipes(hashes(changes)))
    return {one.tag: reasons.of(one) for one in changes}
