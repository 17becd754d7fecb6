"""The kinds of faults of ``faults.py``: what is broken, when, and what must hold afterwards."""

import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from faults_project import HANGS_SECONDS, Command, Fault, Project, differences, kill, project, wait_for

_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
#: Kills of one project before it is let through to the end.
_CHAIN = 10
#: Stages that have work for the photos, in the order of the line.
STAGES = (
    "images",
    "proxies",
    "detections",
    "landmarks",
    "body_features",
    "person_embeddings",
    "embeddings",
    "zero_shot_scores",
    "tagger_scores",
    "llm_tag_suggestions",
    "tags",
)
#: When the disk is full: while the project is set up, or once a stage has begun.
_MOMENTS = ("set-up", "images", "proxies", "embeddings", "tags")
#: A stage takes about so long with so few photos; a kill falls within, or shortly after.
_STAGE_SECONDS = 0.8


@dataclass
class Bench:
    """What all trials share.

    Attributes:
        photos: what is tagged.
        deadline: no trial begins after it, in ``time.monotonic`` seconds.
        wanted: tables of an undisturbed run, with the chat model and without.
        run_seconds: how long that took.
    """

    photos: Path
    deadline: float
    wanted: dict[bool, dict[str, Any]] = field(default_factory=dict)
    run_seconds: dict[bool, float] = field(default_factory=dict)


@dataclass
class Trial:
    """One project that was broken, perhaps several times, and then let through.

    Attributes:
        kind: what was tried.
        faults: row of the table and name of the fault, one by one.
        seconds: how long commands took to end after SIGTERM or SIGINT.
        problem: what was not as promised; ``""`` where all was.
    """

    kind: str
    faults: list[tuple[str, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    problem: str = ""

    def hit(self, fault: str, row: str = "") -> None:
        """Count a fault, in a row of its own or in that of the kind."""
        self.faults.append((row or self.kind, fault))


Attempt = Callable[[Bench, Trial, random.Random], None]


@dataclass(frozen=True)
class Kind:
    """How often, and how, a kind is tried."""

    times: int
    attempt: Attempt


def _end(trial: Trial, command: Command, dice: random.Random, row: str = "") -> None:
    """End a command by a signal drawn by lot; nothing where it has ended already."""
    if command.code is not None:
        return
    number = dice.choice(_SIGNALS)
    trial.hit(number.name, row)
    seconds = command.end_by(number)
    if number is not signal.SIGKILL:
        trial.seconds.append(seconds)


def _check(bench: Bench, made: Project) -> None:
    """Let the project through to the end, and compare.

    Raises:
        Fault: it does not come through, or to something else than an undisturbed run.
    """
    made.tag()
    made.check_nothing_left()
    apart = differences(bench.wanted[made.chat], made.snapshot())
    if apart:
        raise Fault(f"differs: {', '.join(apart)}")


def _random(bench: Bench, trial: Trial, dice: random.Random) -> None:
    chat = dice.random() < 0.5
    with project(bench.photos, chat=chat) as made:
        while len(trial.faults) < _CHAIN:
            command = made.start("run", str(made.photos))
            if command.ends_within(dice.uniform(0, bench.run_seconds[chat])):
                break  # through before it was killed
            _end(trial, command, dice)
        _check(bench, made)


def _set_up(bench: Bench, trial: Trial, dice: random.Random) -> None:
    with project(bench.photos, chat=False) as made:
        command = made.start("run", str(made.photos))
        # Before the first stage begins.
        began = wait_for(lambda: "photo" in command.said or command.code is not None, dice.uniform(0.1, 6.0))
        if not began or command.code is None:
            _end(trial, command, dice)
        _check(bench, made)


def _stages(bench: Bench, trial: Trial, dice: random.Random) -> None:
    """Kill a run once a stage has begun, the next one in a stage after it, and so on down the line."""
    with project(bench.photos, chat=True) as made:
        ahead = list(STAGES)
        while ahead:
            command = made.start("run", str(made.photos))
            # A stage that was through before the last kill does not begin again; the one after it does.
            wait_for(lambda one=command, left=tuple(ahead): _begun(one, left) or one.code is not None, HANGS_SECONDS)
            begun = _begun(command, ahead)
            if begun is None:
                break  # through to the end
            time.sleep(dice.uniform(0, _STAGE_SECONDS))
            _end(trial, command, dice, begun)
            ahead = ahead[ahead.index(begun) + 1 :]
        _check(bench, made)


def _begun(command: Command, stages: Sequence[str]) -> str | None:
    """The first of some stages that a run has begun; ``None`` where it has begun none."""
    return next((stage for stage in stages if f"{stage} b" in command.said), None)


def _server(bench: Bench, trial: Trial, dice: random.Random, name: str) -> None:
    """Kill a server under a run; the run may end with one line, and goes on when it is given again."""
    with project(bench.photos, chat=True) as made:
        command = made.start("run", str(made.photos))
        if name == "chat":
            found = command.reaches("llm_tag_suggestions b") and wait_for(lambda: made.named("llm_child"), 60)
            time.sleep(dice.uniform(0, 3))
        else:
            found = wait_for(lambda: bool(postmasters(made)), 30)
            time.sleep(dice.uniform(0, bench.run_seconds[True] * 0.8))
        victims = made.named("llm_child") if name == "chat" else postmasters(made)
        if found and victims:
            number = dice.choice(_SIGNALS)
            trial.hit(number.name)
            kill(victims[0].pid, number)
        command.wait(240)
        _check(bench, made)


def postmasters(made: Project) -> list[psutil.Process]:
    """The database servers of a project: those postgres processes whose parent is none."""
    found = []
    for process in made.named("postgres"):
        try:
            parent = process.parent()
            if _is_postgres(process) and not (parent and _is_postgres(parent)):
                found.append(process)
        except psutil.Error:
            continue  # it has just ended
    return found


def _is_postgres(process: psutil.Process) -> bool:
    return Path(process.exe()).name == "postgres"


def _up(bench: Bench, trial: Trial, dice: random.Random) -> None:
    """Kill ``up`` or a process below it while it tags; nothing may stay, the port must be free, tables whole."""
    with project(bench.photos, chat=False) as made:
        port = _free_port()
        command = made.start("up", "--port", str(port))
        if dice.random() < 0.7 and not command.reaches("Ctrl-C stops everything", 120):
            raise Fault(f"up did not come up: {command.last_line}")
        time.sleep(dice.uniform(0, 6))
        below = [one for one in made.processes() if one.pid != command.process.pid]
        if below and dice.random() < 0.5:
            victim = dice.choice(below)
            trial.hit("SIGKILL below it")
            kill(victim.pid, signal.SIGKILL)
            # Restarted, or up ends and says why; neither may hang.
            time.sleep(dice.uniform(0, 5))
        _end(trial, command, dice)
        made.check_nothing_left()
        if _free_port(port) != port:
            raise Fault("the port is not free")
        _check(bench, made)


def _disk(bench: Bench, trial: Trial, dice: random.Random, moment: str) -> None:
    """A full disk at a moment: one line, exit code 2, and on it goes once there is room."""
    with tempfile.TemporaryDirectory(prefix="faults-disk-") as place:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=400m,mode=0755", "none", place],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode != 0:
            raise Fault(f"no file system for it: {mounted.stderr.strip()}")
        try:
            with project(bench.photos, chat=False, parent=Path(place)) as made:
                ballast = made.folder / "ballast"
                if moment == "set-up":
                    _fill(ballast, dice.randint(1, 40) << 20)
                command = made.start("run", str(made.photos))
                if moment != "set-up":
                    command.reaches(f"{moment} b")
                    _fill(ballast, dice.randint(0, 200) << 10)
                trial.hit("no space left")
                command.wait(240)
                told = [line for line in command.said.splitlines() if "photo" not in line]
                if command.code not in (0, 2):
                    raise Fault(f"exit code {command.code}: {command.last_line}")
                if command.code == 2 and len(told) != 1:
                    raise Fault(f"{len(told)} lines about a full disk")
                ballast.unlink()
                _check(bench, made)
        finally:
            subprocess.run(["umount", "-l", place], check=False)


def _fill(ballast: Path, leave: int) -> None:
    """Take all the room of a file system but so many bytes."""
    free = psutil.disk_usage(str(ballast.parent)).free
    with ballast.open("wb") as file:
        try:
            for _ in range(max(0, free - leave) >> 16):
                file.write(bytes(1 << 16))
        except OSError:
            return


def _two_runs(bench: Bench, trial: Trial, dice: random.Random) -> None:
    """Two commands over the same photos, one of which may be killed."""
    with project(bench.photos, chat=False) as made:
        first = made.start("run", str(made.photos))
        time.sleep(dice.uniform(0, 4))
        second = made.start("run", str(made.photos))
        time.sleep(dice.uniform(0, bench.run_seconds[False]))
        victim, other = (first, second) if dice.random() < 0.5 else (second, first)
        if dice.random() < 0.7:
            _end(trial, victim, dice)
        else:
            trial.hit("left alone")
            victim.wait(240)
        other.wait(240)
        if other.code != 0:
            raise Fault(f"the other run ended with {other.code}: {other.last_line}")
        _check(bench, made)


def _beside_up(bench: Bench, trial: Trial, dice: random.Random) -> None:
    """A run beside ``tagging up``, killed or not."""
    with project(bench.photos, chat=False) as made:
        up = made.start("up", "--port", str(_free_port()))
        if not up.reaches("Ctrl-C stops everything", 120):
            raise Fault(f"up did not come up: {up.last_line}")
        command = made.start("run", str(made.photos))
        time.sleep(dice.uniform(1, bench.run_seconds[False] * 1.5))
        _end(trial, command, dice)
        made.tag()
        _end(trial, up, dice)
        _check(bench, made)


def _free_port(wanted: int = 0) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
        port: int = probe.getsockname()[1]
        return port


def _of(name: str) -> Attempt:
    return lambda bench, trial, dice: _server(bench, trial, dice, name)


def _full(moment: str) -> Attempt:
    return lambda bench, trial, dice: _disk(bench, trial, dice, moment)


KINDS: Mapping[str, Kind] = {
    # Ten kills a project.
    "random": Kind(10, _random),
    "set-up": Kind(20, _set_up),
    # A kill in each stage a project.
    "stages": Kind(20, _stages),
    "postgres": Kind(20, _of("postgres")),
    "chat server": Kind(20, _of("chat")),
    "up": Kind(20, _up),
    **{f"disk full, {moment}": Kind(2, _full(moment)) for moment in _MOMENTS},
    "two runs": Kind(10, _two_runs),
    "run beside up": Kind(10, _beside_up),
}
