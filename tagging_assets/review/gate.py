"""Who may look: only a browser on this machine that was given the link, and only from pages of ours.

A page on loopback is within reach of every web page the person has open. So: the Host header must be ours (else
another name could be pointed at 127.0.0.1, which is known as DNS rebinding); the link works once and is exchanged for
a cookie that no script can read and no other site's page sends along; what changes something needs a second secret
that stands only in our forms; and the pages may load nothing and send nothing anywhere else.
"""

import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagging_assets.review.pages import problem_page

#: What browsers are told with every reply. ``same-origin`` and not ``no-referrer``: with the latter a browser says
#: ``Origin: null`` for our own forms.
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

#: Where the link leads; everything below :data:`STATIC` is the same for everybody, and no secret.
ENTRANCE = "/enter"
STATIC = "/static/"

_LOST = (
    "This page is only for the browser that was opened with the link. "
    "Stop the command and start it again for a new link."
)


class Keys:
    """The secrets of one sitting.

    Attributes:
        link: stands in the link; works once.
        form: stands in every form.
        cookie: name of the cookie; it has the port in it, as browsers do not tell ports apart.
    """

    def __init__(self, port: int) -> None:
        self.link = secrets.token_urlsafe(24)
        self.form = secrets.token_urlsafe(24)
        self.cookie = f"tagging_review_{port}"
        self._session = secrets.token_urlsafe(24)
        self._redeemed = False

    def redeem(self, said: str) -> str | None:
        """The cookie that the link is worth, the first time it is used; else ``None``."""
        if self._redeemed or not _same(said, self.link):
            return None
        self._redeemed = True
        return f"{self.cookie}={self._session}; HttpOnly; SameSite=Strict; Path=/"

    def knows(self, headers: Headers) -> bool:
        """Whether a request has our cookie."""
        try:
            jar = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return self.cookie in jar and _same(jar[self.cookie].value, self._session)

    def may_change(self, said: str) -> bool:
        """Whether a form has what only our forms have."""
        return _same(said, self.form)


class Gate:
    """ASGI middleware: turns away whoever may not look, and sets :data:`SECURITY_HEADERS` on every reply.

    Args:
        app: what is behind it.
        port: that we listen on.
        keys: of this sitting.
    """

    def __init__(self, app: ASGIApp, *, port: int, keys: Keys) -> None:
        self._app = app
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; anything but HTTP is left without an answer."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return problem_page(421, "Not here", "This address belongs to another program.")
        origin = headers.get("origin")
        if scope["method"] not in ("GET", "HEAD") and origin is not None and origin != f"http://{host}":
            return problem_page(403, "Not from there", "Another page sent something here. Nothing was changed.")
        if path == ENTRANCE or path.startswith(STATIC) or self._keys.knows(headers):
            return None
        return problem_page(403, "This page is locked", _LOST)


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
