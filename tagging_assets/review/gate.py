"""Who may look: only a browser on this machine that was given a link, and only from pages of ours.

A page on loopback is within reach of every web page the person has open. So: the Host header must be ours (else
another name could be pointed at 127.0.0.1, which is known as DNS rebinding); a link works once and is exchanged for
a cookie that no script can read and no other site's page sends along; what other pages ask for is refused, those of
other ports of this machine included, to which browsers send the cookie; what changes something in the review pages
needs a second secret that stands only in our forms; and the pages may load nothing and send nothing anywhere else.
"""

import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagging_assets.review.pages import problem_page, render_page

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

#: Methods that change nothing.
_SAFE = ("GET", "HEAD")

#: What browsers say of requests that a person or a page of ours has made.
_OWN_SITES = ("none", "same-origin")

_POLICY = "Content-Security-Policy"

#: For an app behind the gate: why it turns a request away that may look otherwise, or ``None``.
Rule = Callable[[Scope, Headers], Response | None]


class Keys:
    """The secrets of one sitting.

    Args:
        port: that is listened on.
        name: of the app; part of the cookie's.
        session: worth of the cookie; a new one by default.
        token: by which programs of this machine's user look in, as ``Authorization: Bearer``; none by default.

    Attributes:
        link: stands in the first link; works once.
        form: stands in every form.
        cookie: name of the cookie; it has the port in it, as browsers do not tell ports apart.
    """

    def __init__(self, port: int, *, name: str = "tagging_review", session: str = "", token: str = "") -> None:
        self.form = secrets.token_urlsafe(24)
        self.cookie = f"{name}_{port}"
        self._session = session or secrets.token_urlsafe(24)
        self._token = token
        self._links: set[str] = set()
        self.link = self.new_link()

    def new_link(self) -> str:
        """What stands in one more link, for another browser; works once, too."""
        link = secrets.token_urlsafe(24)
        self._links.add(link)
        return link

    def redeem(self, said: str) -> str | None:
        """The cookie that a link is worth, the first time it is used; else ``None``."""
        found = next((link for link in self._links if _same(said, link)), None)
        if found is None:
            return None
        self._links.remove(found)
        return f"{self.cookie}={self._session}; HttpOnly; SameSite=Strict; Path=/"

    def knows(self, headers: Headers) -> bool:
        """Whether a request has our cookie, or is a program's with our token."""
        return self.knows_program(headers) or self._knows_browser(headers)

    def knows_program(self, headers: Headers) -> bool:
        """Whether a request has our token, which no page can know."""
        return bool(self._token) and _same(headers.get("authorization", ""), f"Bearer {self._token}")

    def _knows_browser(self, headers: Headers) -> bool:
        try:
            jar = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return self.cookie in jar and _same(jar[self.cookie].value, self._session)

    def may_change(self, said: str) -> bool:
        """Whether a form has what only our forms have."""
        return _same(said, self.form)


class Gate:
    """ASGI middleware: turns away whoever may not look, and sets security headers on every reply.

    Args:
        app: what is behind it.
        port: that we listen on.
        keys: of this sitting.
        start: the page that the link leads to.
        again: how to come by a new link, as a sentence.
        headers: set on every reply; a content security policy is added to the app's own, and both hold.
        rule: what the app asks of requests on top.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        port: int,
        keys: Keys,
        start: str,
        again: str = "Stop the command and start it again for a new link.",
        headers: Mapping[str, str] = SECURITY_HEADERS,
        rule: Rule = lambda _scope, _headers: None,
    ) -> None:
        self._app = app
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._keys = keys
        self._start = start
        self._again = again
        self._headers = headers
        self._rule = rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, web socket, or the app's own start and end; anything else is left without an answer."""
        if scope["type"] == "http":
            await (self._answer(scope) or self._app)(scope, receive, self._guarded(send))
        elif scope["type"] == "websocket":
            if self._answer(scope) is None:
                await self._app(scope, receive, send)
            else:
                # Closed before it was accepted: the browser is told 403.
                await receive()
                await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)

    def _guarded(self, send: Send) -> Send:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    if name == _POLICY:
                        headers.append(name, value)
                    else:
                        headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        return send_guarded

    def _answer(self, scope: Scope) -> Response | None:
        """The gate's own answer; ``None`` where the app is to answer."""
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return problem_page(HTTPStatus.MISDIRECTED_REQUEST, "Not here", "This address belongs to another program.")
        if _from_elsewhere(scope, headers, host):
            return problem_page(
                HTTPStatus.FORBIDDEN, "Not from there", "Another page sent something here. Nothing was changed."
            )
        if path == ENTRANCE:
            return self._entrance(scope, headers)
        everybodys = scope["type"] == "http" and path.startswith(STATIC)
        if not (everybodys or self._keys.knows(headers)):
            text = f"This page is only for the browser that was opened with the link. {self._again}"
            return problem_page(HTTPStatus.FORBIDDEN, "This page is locked", text)
        return self._rule(scope, headers)

    def _entrance(self, scope: Scope, headers: Headers) -> Response:
        """The link: gives the cookie, and leaves by a page of ours, so that the browser sends it from then on.

        A program that knows the token gets a new link.
        """
        method = scope.get("method")
        if method == "POST" and self._keys.knows_program(headers):
            return JSONResponse({"link": f"{ENTRANCE}?key={self._keys.new_link()}"})
        if method != "GET":
            # Whoever only looks at the link first does not use it up.
            return problem_page(HTTPStatus.METHOD_NOT_ALLOWED, "Not so", "A link is opened, and nothing else.")
        cookie = self._keys.redeem(QueryParams(scope["query_string"]).get("key", ""))
        if cookie is None and not self._keys.knows(headers):
            text = f"A link works once. {self._again}"
            return problem_page(HTTPStatus.FORBIDDEN, "This link was used before", text)
        reply = render_page("enter", target=self._start)
        if cookie is not None:
            reply.headers["Set-Cookie"] = cookie
        return reply


def _from_elsewhere(scope: Scope, headers: Headers, host: str) -> bool:
    """Whether another page asks: told by its origin, and by what browsers say of where a request comes from."""
    origin, socket = headers.get("origin"), scope["type"] == "websocket"
    if origin is not None and origin != f"http://{host}" and (socket or scope["method"] not in _SAFE):
        return True
    # The link may be opened from anywhere: a terminal in a browser, a chat.
    return scope["path"] != ENTRANCE and headers.get("sec-fetch-site", "none") not in _OWN_SITES


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
