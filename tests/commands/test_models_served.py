"""Chat models at providers, as a user meets them: what they can do, and batches by hand. One project for all."""

from pathlib import Path

import pytest

from resources.database import Database
from resources.waiting_questions import WaitingQuestion, WaitingQuestions
from tests.batch_stub import BatchStub, answer, expired
from tests.commands.command_line import Project
from tests.llm_stub import LlmStub, fails, says
from tests.llm_talents import able

_SETTINGS = """
llm:
  model: clever
  batch_api: true
  providers:
    stub: {{base_url: "{chat}", batch_api: true}}
    cheap: {{base_url: "{batch}", batch_api: true}}
    away: {{base_url: "https://llm.example.com/v1"}}
  models:
    clever: {{provider: stub, model: m}}
    remote: {{provider: away, model: far}}
"""


def put(project: Project, *hashes: str) -> None:
    database = Database.open(project.data, None)
    queue = WaitingQuestions(database.engine)
    for one in hashes:
        queue.put(WaitingQuestion(one, "cheap", "m", "select", "p", {}, {"model": "m", "messages": []}))
    database.close()


@pytest.fixture
def keep_database(project: Project) -> Database:
    """Open for the whole test, so that the server does not start anew with each command."""
    return Database.open(project.data, None)


def test_models_and_batches_at_providers(project: Project, keep_database: Database, tmp_path: Path) -> None:
    with LlmStub([able()], models=("m",)) as chat, BatchStub() as cheap:
        project = Project(tmp_path, _SETTINGS.format(chat=chat.base_url, batch=cheap.base_url))
        try:
            verify_models(project, chat)
            work_by_hand(project, cheap)
        finally:
            keep_database.close()


def verify_models(project: Project, chat: LlmStub) -> None:
    done = project.call("models", "list", "--json")
    assert done.code == 0, done.err
    told = {one["model"]: one["chat"] for one in done.json}
    assert (told["clever"]["state"], told["clever"]["in_use"], chat.asked) == ("unknown", True, [])

    done = project.call("models", "verify", "--no-run", "--no-chat")
    assert done.code == 0, done.err
    assert (chat.asked, done.err) == ([], "")

    done = project.call("models", "verify", "--no-run", "--json")
    assert done.code == 0, done.err
    told = {one["model"]: one["chat"] for one in done.json}
    seen = told["clever"]["probed"]
    assert {name: seen[name] for name in ("answers", "vision", "json_schema", "json_object", "logprobs", "listed")} == (
        dict.fromkeys(("answers", "vision", "json_schema", "json_object", "logprobs", "listed"), True)
    )
    assert "privacy is local" in told["remote"]["why_not"]
    assert done.error == "clever: asking what it can do: 5 questions, a few hundred tokens and one small picture; free."

    # The next command remembers it, and asks nobody.
    asked = len(chat.asked)
    (line,) = [one for one in project.call("models", "list").out.splitlines() if "stub/m" in one]
    assert line.count("yes") == 5
    told = {one["model"]: one["chat"] for one in project.call("models", "list", "--json").json}
    assert told["clever"]["probed"] == seen
    assert len(chat.asked) == asked

    chat.behaviours[:] = [able(vision=says("a dog"), json_schema=fails(400, "no response_format"))]
    done = project.call("models", "verify", "--no-run", "--json")
    seen = {one["model"]: one["chat"] for one in done.json}["clever"]["probed"]
    assert (done.code, seen["vision"], seen["json_schema"], seen["json_object"]) == (0, False, False, True)
    assert seen["errors"]["vision"] == 'it says "a dog" of a red square on yellow'

    chat.behaviours[:] = [fails(401, "wrong key")]
    done = project.call("models", "verify", "--no-run")
    assert done.code == 2, "the model in use does not answer"
    _, silent, *_ = done.err.splitlines()
    assert silent.startswith("clever: does not answer: the chat provider says no")
    assert project.call("models", "verify", "--no-run", "--no-chat").code == 0, "nobody was asked"


def work_by_hand(project: Project, cheap: BatchStub) -> None:
    done = project.call("provider-batches", "--json")
    assert (done.code, done.json) == (0, {"batches": [], "queued": [], "given_up": 0})

    put(project, "a", "b")
    queued = [{"provider": "cheap", "model": "m", "questions": 2}]
    assert project.call("provider-batches", "--json").json["queued"] == queued
    cheap.fails["POST /files"] = [401]
    done = project.call("provider-batches", "--poll")
    assert done.code == 2
    assert done.error.startswith("LlmRejected: cheap: the chat provider says no")

    done = project.call("provider-batches", "--poll", "--json")
    assert (done.code, done.error) == (0, "1 batches submitted, 0 collected, 0 answers")
    (batch,) = done.json["batches"]
    told = (batch["id"], batch["state"], batch["questions"], batch["answered"], batch["collected_at"])
    assert told == (cheap.last, "validating", 2, 0, None)

    assert project.call("provider-batches", "--cancel", "nothing").code == 2
    assert project.call("provider-batches", "--cancel", cheap.last, "--poll").code == 2
    done = project.call("provider-batches", "--cancel", cheap.last, "--json")
    assert [one["state"] for one in done.json["batches"]] == ["cancelling"]
    cheap.end(cheap.last, [answer("a")], [expired("b")], state="cancelled")
    done = project.call("provider-batches", "--poll")
    assert done.code == 0
    assert done.err.splitlines() == [
        "0 batches submitted, 1 collected, 1 answers",
        "1 questions were given up; the next run over their photos says why.",
    ]
    told = project.call("provider-batches", "--json").json
    assert [(one["state"], one["answered"]) for one in told["batches"]] == [("cancelled", 1)]
