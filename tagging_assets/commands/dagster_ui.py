"""Dagster's web server behind our gate, as a process of its own; started by ``tagging up``, and by nothing else.

Dagster's own command listens without asking who comes, so its app is served from here: the gate sees every request
and web socket first, and no port is open that has none. One JSON line on standard input hands over what must not be
seen in a process list, an environment or a file.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from resources.lifeline import tie_to_parent
from tagging_assets import review
from tagging_assets.commands.console import print_note
from tagging_assets.review.gate import STATIC, Gate, Keys

if TYPE_CHECKING:
    from dagster._core.workspace.context import WorkspaceProcessContext

#: Of the cookie, before the port.
NAME = "tagging_dagster"

#: Statements of the database that take longer are given up, connections that are older made anew, and so many more
#: than usual are opened under load: the defaults of Dagster's own command.
_STATEMENT_MILLISECONDS = 15_000
_RECYCLE_SECONDS = 3_600
_MAX_OVERFLOW = 20
_POLL_MILLISECONDS = 2_000

#: How often code servers are looked after.
_LOOK_SECONDS = 5.0

#: Seconds that open connections are given at the end.
_PATIENCE = 1


def security_headers(port: int) -> Mapping[str, str]:
    """What browsers are told with every reply. Dagster's own policy holds beside this one.

    Metadata of assets may hold pictures and links that others have written: nothing is loaded from elsewhere.
    """
    sockets = f"ws://127.0.0.1:{port} ws://localhost:{port}"
    return {
        "Content-Security-Policy": (
            f"connect-src 'self' {sockets}; img-src 'self' data: blob:; media-src 'self'; font-src 'self' data:; "
            "frame-src 'self'; worker-src 'self' blob:; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


def only_what_a_page_must_ask_for(scope: Scope, headers: Headers) -> Response | None:
    """Refuse what a form or a picture of another page could send.

    Dagster executes what a URL says, whatever the method and the type of the content. JSON is something that a
    browser sends elsewhere only after asking, and nobody here says yes.
    """
    if scope["type"] == "websocket":
        return None
    method, path = scope["method"], scope["path"].rstrip("/")
    if method in ("GET", "HEAD"):
        if path == "/graphql" and "text/html" not in headers.get("accept", ""):
            return _refused(HTTPStatus.METHOD_NOT_ALLOWED, "GraphQL is asked by POST")
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
    return None


def _refused(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(text, status)


def guarded(app: Starlette, *, port: int, keys: Keys) -> ASGIApp:
    """Dagster's app behind the gate.

    Args:
        app: with its routes; ours for the gate's own pages are added.
        port: that it will listen on.
        keys: of this sitting.
    """
    static = Path(review.__file__).parent / "static"
    app.router.routes.insert(0, Mount(STATIC.rstrip("/"), StaticFiles(directory=static)))
    return Gate(
        app,
        port=port,
        keys=keys,
        start="/",
        again="`tagging up --link` prints a new link.",
        headers=security_headers(port),
        rule=only_what_a_page_must_ask_for,
    )


def main() -> None:
    """Serve until told to end, or until the parent is gone."""
    said = _first_line()
    tie_to_parent()
    listener = socket.socket(fileno=said["listener"])
    listener.set_inheritable(False)
    port = listener.getsockname()[1]
    keys = Keys(port, name=NAME, session=said["session"], token=said["token"])
    _serve(listener, keys, workspace=said["workspace"])


def _first_line() -> dict[str, Any]:
    """Read from the lifeline, byte by byte: nothing behind the line is taken."""
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(0, 1)
        if not read:
            sys.exit("this process is started by `tagging up`")
        line += read
    said: dict[str, Any] = json.loads(line)
    return said


def _serve(listener: socket.socket, keys: Keys, *, workspace: str) -> None:
    import dagster as dg
    import uvicorn
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.version import __version__

    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_MILLISECONDS, _RECYCLE_SECONDS, _MAX_OVERFLOW)
        target = WorkspaceFileTarget(paths=[workspace])
        with WorkspaceProcessContext(instance, target, version=__version__) as context:
            app = create_app_from_workspace_process_context(
                context, live_data_poll_rate=_POLL_MILLISECONDS, lifespan=_lifespan
            )
            config = uvicorn.Config(
                guarded(app, port=listener.getsockname()[1], keys=keys),
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_PATIENCE,
            )
            looking = threading.Thread(target=_keep_loaded, args=(context,), name="code servers", daemon=True)
            looking.start()
            uvicorn.Server(config).run(sockets=[listener])


def _keep_loaded(context: "WorkspaceProcessContext") -> None:
    """Start a code server again that has died; Dagster's web server, unlike its daemon, would go on without."""
    from dagster._core.errors import DagsterUserCodeUnreachableError
    from dagster._core.remote_representation.code_location import GrpcServerCodeLocation

    while True:
        time.sleep(_LOOK_SECONDS)
        for name, entry in context.get_current_workspace().code_location_entries.items():
            location = entry.code_location
            if not isinstance(location, GrpcServerCodeLocation):
                continue
            try:
                location.client.ping("")
            except DagsterUserCodeUnreachableError:
                print_note(f"the code server of {name} has died; it is started again")
                context.reload_code_location(name)


@contextlib.asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    # At a signal, uvicorn cancels what waits here; that is no error.
    with contextlib.suppress(asyncio.CancelledError):
        yield


if __name__ == "__main__":
    main()
