"""Dagster's own web app, whole, behind the gate: nobody reads or changes anything but the person and their programs."""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tagging_assets.commands.dagster_ui import NAME, guarded
from tagging_assets.review.gate import Keys

PORT = 8124
HOME = f"http://127.0.0.1:{PORT}"
TOKEN = "token-of-the-programs"
PROGRAM = {"Authorization": f"Bearer {TOKEN}"}
QUERY = "{ version }"


@dataclass(frozen=True)
class Pages:
    """Dagster's app without a gate, and what it works on."""

    app: Starlette
    instance: dg.DagsterInstance


class Visitor:
    """A browser or a program before the pages, with a pool of its own to change.

    Args:
        pages: that it comes to.
        inside: whether the link was followed.
        token: of the programs.
    """

    def __init__(self, pages: Pages, *, inside: bool, token: str = TOKEN) -> None:
        self._instance = pages.instance
        self._pool = f"pool-{uuid.uuid4().hex}"
        self.keys = Keys(PORT, name=NAME, token=token)
        self.web = TestClient(guarded(pages.app, port=PORT, keys=self.keys), base_url=HOME, follow_redirects=False)
        if inside:
            assert self.web.get(f"/enter?key={self.keys.link}").status_code == 200

    @property
    def mutation(self) -> str:
        """Limits the pool; whether that was done is seen in the instance."""
        return f'mutation {{ setConcurrencyLimit(concurrencyKey: "{self._pool}", limit: 3) }}'

    @property
    def changed(self) -> bool:
        """Whether the mutation was executed."""
        return self._pool in self._instance.event_log_storage.get_concurrency_keys()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    folder = str(tmp_path_factory.mktemp("dagster"))
    with (
        dg.DagsterInstance.local_temp(folder) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget(), version=dg.__version__) as context,
    ):
        yield Pages(create_app_from_workspace_process_context(context), instance)


@pytest.fixture
def stranger(pages: Pages) -> Visitor:
    return Visitor(pages, inside=False)


@pytest.fixture
def person(pages: Pages) -> Visitor:
    return Visitor(pages, inside=True)


PATHS = ("/", "/runs", "/graphql", "/server_info", "/logs/a/b/out", "/download_debug/x", "/notebook", "/robots.txt")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"])
def test_without_the_link_there_is_nothing(stranger: Visitor, path: str, method: str) -> None:
    reply = stranger.web.request(method, path)
    assert reply.status_code == 403
    assert "dagster" not in reply.text.lower()
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("path", ["/", "/runs", "/server_info", "/robots.txt"])
def test_the_person_with_the_link_sees_the_pages(person: Visitor, path: str) -> None:
    assert person.web.get(path).status_code == 200


def test_the_link_leads_to_the_pages_and_works_once(stranger: Visitor) -> None:
    link = f"/enter?key={stranger.keys.link}"
    # Whoever only looks at it first, as chats do, does not use it up.
    assert stranger.web.head(link).status_code == 405
    reply = stranger.web.get(link)
    assert 'content="0; url=/"' in reply.text
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith(f"{NAME}_{PORT}=")
    assert cookie.endswith("; HttpOnly; SameSite=Strict; Path=/")
    stranger.web.cookies.clear()
    again = stranger.web.get(link)
    assert again.status_code == 403
    assert "tagging up --link" in again.text


def test_programs_ask_with_the_token_and_get_links_for_browsers(stranger: Visitor) -> None:
    asked = stranger.web.post("/graphql", json={"query": QUERY}, headers=PROGRAM)
    assert asked.json()["data"]["version"] == dg.__version__
    assert stranger.web.post("/enter").status_code == 405
    links = {stranger.web.post("/enter", headers=PROGRAM).json()["link"] for _ in range(2)}
    assert len(links) == 2
    for link in links:
        stranger.web.cookies.clear()
        assert stranger.web.get("/").status_code == 403
        assert stranger.web.get(link).status_code == 200
        assert stranger.web.get("/").status_code == 200


@pytest.mark.parametrize("said", ["", "Bearer", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_a_wrong_token_opens_nothing(stranger: Visitor, said: str) -> None:
    assert stranger.web.get("/server_info", headers={"Authorization": said}).status_code == 403


def test_where_no_token_is_set_none_opens_anything(pages: Pages) -> None:
    visitor = Visitor(pages, inside=False, token="")
    for said in ("", "Bearer", "Bearer "):
        assert visitor.web.get("/server_info", headers={"Authorization": said}).status_code == 403


JSON = {"Content-Type": "application/json"}

#: What the browser of the person sends, with their cookie, because of a page of somebody else's; 200 only for ours.
REQUESTS: tuple[tuple[Mapping[str, str], int], ...] = (
    ({**JSON, "Origin": HOME, "Sec-Fetch-Site": "same-origin"}, 200),
    (JSON, 200),
    ({**JSON, "Content-Type": "application/json; charset=utf-8"}, 200),
    ({**JSON, "Origin": "http://evil.example"}, 403),
    ({**JSON, "Origin": "null"}, 403),
    ({**JSON, "Origin": "http://127.0.0.1:9999", "Sec-Fetch-Site": "same-site"}, 403),
    ({**JSON, "Origin": f"https://127.0.0.1:{PORT}"}, 403),
    ({**JSON, "Origin": f"http://localhost:{PORT}"}, 403),
    ({**JSON, "Sec-Fetch-Site": "cross-site"}, 403),
    ({**JSON, "Sec-Fetch-Site": "same-site"}, 403),
    ({**JSON, "Host": "evil.example"}, 421),
    ({**JSON, "Host": f"evil.example:{PORT}"}, 421),
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "text/plain; application/json"}, 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ({"Content-Type": "application/graphql"}, 415),
    ({"Content-Type": ""}, 415),
)


@pytest.mark.parametrize(("headers", "status"), REQUESTS, ids=range(len(REQUESTS)))
def test_only_our_own_pages_change_anything(person: Visitor, headers: Mapping[str, str], status: int) -> None:
    body = json.dumps({"query": person.mutation})
    # The query stands in the address, too: Dagster executes it from there where the body is not JSON.
    reply = person.web.post("/graphql", params={"query": person.mutation}, content=body, headers=headers)
    assert reply.status_code == status
    assert person.changed == (status == 200)
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", ["*/*", "image/avif,image/webp,*/*;q=0.8", "application/json", ""])
@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
def test_a_picture_changes_nothing(person: Visitor, method: str, accept: str, path: str) -> None:
    reply = person.web.request(method, path, params={"query": person.mutation}, headers={"Accept": accept})
    assert reply.status_code == 405
    assert not person.changed


@pytest.mark.parametrize("kind", ["materialization", "check", "observation"])
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_nothing_is_reported_by_a_form(person: Visitor, kind: str, content_type: str) -> None:
    reply = person.web.post(
        f"/report_asset_{kind}/tags", params={"partition": "../../evil"}, headers={"Content-Type": content_type}
    )
    assert reply.status_code == 415


@pytest.mark.parametrize(
    ("inside", "headers", "opens"),
    [
        (True, {"Origin": HOME}, True),
        (False, {"Origin": HOME}, False),
        (True, {"Origin": "http://evil.example"}, False),
        (True, {"Origin": "http://127.0.0.1:9999", "Sec-Fetch-Site": "same-site"}, False),
        (True, {"Origin": "null"}, False),
        (True, {"Origin": HOME, "Host": "evil.example"}, False),
        (False, PROGRAM, True),
    ],
)
def test_web_sockets_pass_the_same_gate(pages: Pages, inside: bool, headers: Mapping[str, str], opens: bool) -> None:
    visitor = Visitor(pages, inside=inside)
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.web.cookies.items())
    said = {"Host": f"127.0.0.1:{PORT}", "Cookie": cookies, **headers}
    if not opens:
        with (
            pytest.raises(WebSocketDisconnect),
            visitor.web.websocket_connect("/graphql", ["graphql-ws"], headers=said),
        ):
            pytest.fail("it was let in")
        return
    with visitor.web.websocket_connect("/graphql", ["graphql-ws"], headers=said) as web_socket:
        web_socket.send_json({"type": "connection_init"})
        assert web_socket.receive_json() == {"type": "connection_ack"}


@pytest.mark.parametrize("path", ["/graphql", "/static/graphql", "/static/../graphql", "/enter", "/"])
def test_no_web_socket_opens_without_a_key(stranger: Visitor, path: str) -> None:
    headers = {"Host": f"127.0.0.1:{PORT}", "Origin": HOME}
    with pytest.raises(WebSocketDisconnect), stranger.web.websocket_connect(path, ["graphql-ws"], headers=headers):
        pytest.fail("it was let in")


@pytest.mark.parametrize("path", ["/static/../graphql", "/static/%2e%2e/graphql", "//graphql", "/enter/../graphql"])
def test_no_way_round_leads_to_what_is_behind(stranger: Visitor, path: str) -> None:
    for reply in (
        stranger.web.post(path, json={"query": stranger.mutation}, headers={"Origin": HOME}),
        stranger.web.get(path, params={"query": stranger.mutation}),
    ):
        assert reply.status_code in (403, 404, 405)
    assert not stranger.changed


@pytest.mark.parametrize("path", ["/", "/server_info", "/nothing", "/graphql", "/enter?key=x", "/robots.txt"])
def test_every_reply_keeps_the_page_to_itself(pages: Pages, path: str) -> None:
    for visitor in (Visitor(pages, inside=True), Visitor(pages, inside=False)):
        reply = visitor.web.get(path)
        policies = reply.headers.get_list("content-security-policy")
        assert any("img-src 'self' data: blob:;" in one and "frame-ancestors 'none'" in one for one in policies)
        assert all("connect-src *" not in one for one in policies)
        assert reply.headers["cross-origin-resource-policy"] == "same-origin"
        assert reply.headers["cross-origin-opener-policy"] == "same-origin"
        assert reply.headers["referrer-policy"] == "same-origin"
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_dagsters_own_policy_for_scripts_holds_beside_ours(person: Visitor) -> None:
    policies = person.web.get("/").headers.get_list("content-security-policy")
    assert len(policies) == 2
    assert sum("nonce-" in one for one in policies) == 1
