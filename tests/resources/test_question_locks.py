from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from resources.cancelling import Cancellation
from resources.chat_abilities import ChatAbilities
from resources.database import Database
from resources.dialect import Dialect
from resources.question_locks import QuestionLocks
from tests.chat_desk import clear


@pytest.mark.parametrize(
    ("everywhere", "same_process", "held"),
    [
        (True, True, False),  # threads keep each other off
        (False, True, False),
        (True, False, False),  # so do processes, where it costs money
        (False, False, True),  # and not where nothing is paid
    ],
)
def test_who_is_kept_off(database: Database, everywhere: bool, same_process: bool, held: bool) -> None:
    one = QuestionLocks(database.engine)
    two = one if same_process else QuestionLocks(database.engine)
    with one.hold("q", 1, everywhere=everywhere) as first, two.hold("q", 0.05, everywhere=everywhere) as second:
        assert (first, second) == (True, held)
    with two.hold("q", 0.05, everywhere=everywhere) as later:
        assert later, "given back"
    one.close()
    two.close()


def test_hundreds_of_questions_take_one_connection(database: Database) -> None:
    locks = QuestionLocks(database.engine)
    with locks.hold("0", 1, everywhere=True):
        before = database.engine.pool.checkedout()  # type: ignore[attr-defined]
        held = [locks.hold(str(number), 1, everywhere=True) for number in range(1, 100)]
        assert all(one.__enter__() for one in held)
        assert database.engine.pool.checkedout() == before  # type: ignore[attr-defined]
        for one in held:
            one.__exit__(None, None, None)
    locks.close()


def test_a_lost_connection_costs_one_question(database: Database) -> None:
    locks = QuestionLocks(database.engine)
    with locks.hold("a", 1, everywhere=True):
        pass
    with database.engine.begin() as connection:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%advisory_unlock%'"
        connection.execute(sa.text(f"{cut} AND pid <> pg_backend_pid()"))
    with pytest.raises(Exception, match="Postgres"), locks.hold("b", 1, everywhere=True):
        pass
    with locks.hold("b", 1, everywhere=True) as held:
        assert held
    locks.close()


def test_cancelling_ends_the_wait_for_another(database: Database) -> None:
    cancellation = Cancellation()
    one, two = QuestionLocks(database.engine), QuestionLocks(database.engine, cancellation)

    def wait() -> bool:
        with two.hold("q", 60, everywhere=True) as held:
            return held

    with one.hold("q", 1, everywhere=True), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        cancellation.wait(0.1)
        cancellation.cancel()
        assert waiting.result(5) is False
    one.close()
    two.close()


def test_abilities_are_remembered_each_beside_the_other(database: Database) -> None:
    clear(database)
    abilities = ChatAbilities(database.engine)
    assert (abilities.dialect("p", "m"), dict(abilities.probed("p", "m"))) == (Dialect(), {})
    abilities.saw("p", "m", {"vision": True})
    abilities.needs("p", "m", Dialect("none", seed=False))
    abilities.needs("p", "n", Dialect("json_object"))
    other = ChatAbilities(database.engine)
    assert other.dialect("p", "m") == Dialect("none", seed=False)
    assert other.probed("p", "m") == {"vision": True}
    assert other.dialect("p", "n") == Dialect("json_object")
