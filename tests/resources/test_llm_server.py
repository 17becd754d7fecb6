import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resources.chat_question import ChatOptions
from resources.llm_engine import ChatEngine
from resources.llm_server import ChatServer, ServerOptions
from resources.llm_transport import ChatTransport
from resources.prompt_store import PromptStore
from resources.weights import WeightsStore
from tagging_assets.domain.chat import ChatReply
from tagging_assets.domain.errors import ModelError, ModelFailed
from tagging_assets.domain.narrowing import narrow
from tagging_assets.domain.reply_forms import TagsForm

ROOT = Path(__file__).parents[2]
PROMPT = PromptStore(ROOT / "prompts" / "llm").get("select")
ALLOWED = ("cat", "dog", "coffee", "bus", "person", "bicycle", "car", "boat")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def gguf(weights_store: WeightsStore) -> Path:
    pytest.importorskip("xllamacpp", reason="the local-llm extra is not installed")
    return weights_store.path("gemma3-270m-q4")


@pytest.fixture(scope="module")
def server(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    with ChatServer(gguf, log_dir=tmp_path_factory.mktemp("log")) as server:
        yield server


@pytest.fixture
def engine(server: ChatServer) -> Iterator[ChatEngine]:
    engine = ChatEngine(ChatOptions(model="gemma3-270m-q4"), ChatTransport(server.endpoint, 120))
    yield engine
    engine.close()


def ask(engine: ChatEngine, visual: list[tuple[str, float]], caption: str) -> ChatReply:
    allowed = narrow(ALLOWED, visual, len(ALLOWED), text=caption, fill=False)
    values = {"tags": visual, "caption": caption, "name": "", "allowed": allowed, "max_tags": min(3, len(allowed))}
    return engine.ask(PROMPT, values, TagsForm(allowed, 3))


def gone(pid: int, seconds: float = 10.0) -> bool:
    return within(seconds, lambda: not Path(f"/proc/{pid}/cmdline").exists() or zombie(pid))


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("visual", "caption", "tags"),
    [
        ([("cat", 0.8)], "", {"cat"}),
        ([("coffee", 0.7)], "", {"coffee"}),
        ([("person", 0.9), ("bus", 0.6)], "", {"person", "bus"}),
        ([], "my new bicycle", {"bicycle"}),  # named by the caption alone
    ],
)
def test_the_embedded_model_chooses_what_was_seen(
    engine: ChatEngine, visual: list[tuple[str, float]], caption: str, tags: set[str]
) -> None:
    reply = ask(engine, visual, caption)
    assert reply.outcome == "ok"
    assert set(reply.tags) <= tags


def test_the_same_question_has_the_same_answer_whatever_was_asked_between(engine: ChatEngine) -> None:
    visual = [("dog", 0.4), ("cat", 0.35), ("car", 0.1)]
    first = ask(engine, visual, "in the garden")
    ask(engine, visual, "in the car")
    again = ask(engine, visual, "in the garden")
    assert (again.answer, again.request_hash, again.asked) == (first.answer, first.request_hash, True)
    assert (again.usage.cost_usd, again.usage.cost_source) == (0, "local")


def test_it_listens_on_this_machine_only_and_to_nobody_without_the_key(server: ChatServer) -> None:
    endpoint = server.endpoint()
    assert urllib.parse.urlsplit(endpoint.base_url).hostname == "127.0.0.1"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{endpoint.base_url}/completions", data=b"{}", timeout=10)
    caught.value.close()
    assert caught.value.code == 401


@LINUX
def test_the_key_is_not_in_the_command_line(server: ChatServer) -> None:
    key = server.endpoint().api_key
    assert key not in Path(f"/proc/{server.pid}/cmdline").read_text()


def test_nothing_of_a_question_is_logged(server: ChatServer, engine: ChatEngine) -> None:
    ask(engine, [("cat", 0.8)], "xylophone")
    assert server.log is not None
    assert "xylophone" not in server.log.read_text()


def test_a_crash_costs_one_question_at_most(server: ChatServer, engine: ChatEngine) -> None:
    before = server.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    within(5, lambda: server.pid is None)
    assert ask(engine, [("bus", 0.8)], "").tags == ("bus",)
    assert server.pid not in (None, before)


def test_two_servers_do_not_get_in_each_others_way(server: ChatServer, gguf: Path) -> None:
    with ChatServer(gguf) as other:
        assert other.endpoint().base_url != server.endpoint().base_url


@LINUX
def test_stopping_leaves_nothing_behind(gguf: Path) -> None:
    server = ChatServer(gguf)
    assert (server.pid, server.runtime) == (None, "not loaded")
    server.endpoint()
    pid, log = server.pid, server.log
    assert pid is not None
    assert log is not None
    server.stop()
    assert gone(pid, 0.5)
    assert not log.exists()
    server.stop()  # twice does no harm


@LINUX
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "sys.exit()", "os._exit(0)"])
def test_the_server_dies_with_its_parent_however_that_ends(gguf: Path, tmp_path: Path, end: str) -> None:
    script = textwrap.dedent(
        f"""
        import os, signal, sys, threading
        from pathlib import Path
        from resources.llm_server import ChatServer
        server = ChatServer(Path({str(gguf)!r}), log_dir=Path({str(tmp_path)!r}))
        # Started by a thread that ends before the process does, as workers of a pool do.
        thread = threading.Thread(target=server.endpoint)
        thread.start()
        thread.join()
        print(server.pid, flush=True)
        sys.stdin.readline()
        {end}
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        pid = int(parent.stdout.readline())
        assert not zombie(pid)
        parent.stdin.write("\n")
        parent.stdin.flush()
        parent.wait(20)
    assert gone(pid)


def test_a_file_that_is_no_model_is_a_model_failure(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the local-llm extra is not installed")
    (tmp_path / "bad.gguf").write_bytes(b"no model")
    server = ChatServer(tmp_path / "bad.gguf", log_dir=tmp_path)
    with pytest.raises(ModelFailed, match="did not start"):
        server.endpoint()
    assert server.pid is None
    server.stop()


def test_a_log_that_grew_too_long_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"no model")
    (tmp_path / "llm-server.log").write_bytes(b"x" * 1_000_001)
    with pytest.raises(ModelError):
        ChatServer(tmp_path / "bad.gguf", log_dir=tmp_path).endpoint()
    assert (tmp_path / "llm-server.old.log").stat().st_size == 1_000_001
    assert (tmp_path / "llm-server.log").stat().st_size < 1_000_000


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match="tagging models pull"):
        ChatServer(tmp_path / "none.gguf").endpoint()


def test_a_server_that_does_not_come_up_in_time_is_stopped(gguf: Path, tmp_path: Path) -> None:
    server = ChatServer(gguf, replace(ServerOptions(), start_seconds=0.01), log_dir=tmp_path)
    with pytest.raises(ModelFailed, match="did not load in"):
        server.endpoint()
    assert server.pid is None
    server.stop()


def test_a_model_that_keeps_crashing_is_given_up(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the local-llm extra is not installed")
    (tmp_path / "bad.gguf").write_bytes(b"no model")
    server = ChatServer(tmp_path / "bad.gguf", ServerOptions(restarts=1), log_dir=tmp_path)
    for complaint in ("did not start", "did not start", "crashed 2 times"):
        with pytest.raises(ModelFailed, match=complaint):
            server.endpoint()
    server.stop()


def test_importing_it_loads_no_runtime() -> None:
    script = "import json, sys, resources.chat_models, resources.llm_server; print(json.dumps(sorted(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, text=True)
    assert {"xllamacpp", "openai", "json_repair"}.isdisjoint(json.loads(told.stdout))


def test_without_the_runtime_the_child_says_what_is_missing() -> None:
    # -S hides site-packages, where the runtime would be
    child = [sys.executable, "-P", "-S", str(ROOT / "resources" / "llm_child.py")]
    with subprocess.Popen(child, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"{}\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"missing": "No module named 'xllamacpp'"}
        assert process.wait(10) == 1
