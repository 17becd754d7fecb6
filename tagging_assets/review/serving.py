"""Serves the desk on loopback, for as long as somebody judges."""

import errno
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable

from tagging_assets import interrupts
from tagging_assets.domain.errors import SettingsError
from tagging_assets.review.app import Desk, make_app
from tagging_assets.review.ballot import Ballot
from tagging_assets.review.gate import ENTRANCE, Keys
from tagging_assets.review.sitting import Marking, Voting

#: Nobody else's machine reaches it.
HOST = "127.0.0.1"

#: Seconds that a browser's open connections are given at the end.
_PATIENCE = 2


def serve(
    ballot: Ballot, voting: Voting, marking: Marking, *, start: str, port: int, say: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C (or SIGTERM), which is the good end.

    Args:
        ballot: what is judged.
        voting: the pairs.
        marking: the tags.
        start: ``/vote`` or ``/mark``.
        port: to listen on; 0 takes a free one.
        say: is told the link once the port is open.

    Raises:
        SettingsError: the port is taken.
    """
    import uvicorn

    with listening(port) as listener:
        port = listener.getsockname()[1]
        keys = Keys(port)
        app = make_app(Desk(ballot, voting, marking, keys, start), port=port, keys=keys)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_PATIENCE,
        )
        # uvicorn ends in good order at a signal, and then sends it again, for whoever was there before.
        before = signal.signal(signal.SIGTERM, _as_interrupt)
        try:
            say(f"http://{HOST}:{port}{ENTRANCE}?key={keys.link}")
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            interrupts.answered()
        finally:
            signal.signal(signal.SIGTERM, before)


def open_browser(url: str) -> None:
    """Show a page where there is a desktop; a browser for terminals would take this one over."""
    desktop = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if desktop:
        webbrowser.open(url)


def listening(port: int) -> socket.socket:
    """A socket of this machine alone that listens on a port; 0 takes a free one.

    Raises:
        SettingsError: the port is taken, or not ours to use.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        wrong = "is taken" if taken else f"cannot be used ({error})"
        raise SettingsError(f"port {port} {wrong}; choose another with --port") from error
    return listener


def _as_interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
