"""The web app: two pages, their forms and the photos.

What does not belong here: who may look (``gate``), and what is next (``sitting``).
"""

from http import HTTPStatus
from pathlib import Path
from typing import cast, get_args
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tagging_assets.domain.errors import TaggingError
from tagging_assets.domain.voting import Winner
from tagging_assets.review.ballot import Ballot
from tagging_assets.review.gate import STATIC, Gate, Keys
from tagging_assets.review.pages import problem_page, render_page
from tagging_assets.review.sitting import Choice, Marking, Voting

#: More than any of our forms sends.
_FORM_BYTES = 4_096

_CHOICES = (*get_args(Winner), "skip")

_NOTHING_CHANGED = "This form is not one of ours, or an old one. Nothing was changed; load the page again."


class Desk:
    """The routes.

    Args:
        ballot: what is judged.
        voting: the pairs.
        marking: the tags.
        keys: of this sitting.
        start: the page that the link leads to: ``/vote`` or ``/mark``.

    Attributes:
        entry: that page.
    """

    def __init__(self, ballot: Ballot, voting: Voting, marking: Marking, keys: Keys, start: str) -> None:
        self._ballot = ballot
        self._voting = voting
        self._marking = marking
        self._keys = keys
        self.entry = start
        self._shown = {photo.image_id for photo in ballot.photos}

    def start(self, _request: Request) -> Response:
        """The page this sitting is about."""
        return _see(self.entry)

    def vote(self, _request: Request) -> Response:
        """On to the next open pair."""
        return self._next_pair(0)

    def pair(self, request: Request) -> Response:
        """One pair of answers."""
        number = _number(request)
        photo, pair = self._voting.pair(number)
        return render_page(
            "vote",
            experiment=self._ballot.experiment,
            token=self._keys.form,
            number=number,
            total=self._voting.total,
            judged=self._voting.judged,
            image_id=photo.image_id,
            title=photo.title,
            left=pair.left_tags,
            right=pair.right_tags,
            said=self._voting.said(number),
        )

    async def choose(self, request: Request) -> Response:
        """A vote, or none."""
        form, number = await self._form(request), _number(request)
        choice = form.get("winner", "")
        if choice not in _CHOICES:
            raise HTTPException(HTTPStatus.BAD_REQUEST, f'nobody can choose "{choice[:20]}"')
        await run_in_threadpool(self._voting.choose, number, cast(Choice, choice))
        return self._next_pair(number)

    def voted(self, _request: Request) -> Response:
        """Thanks, with the ratings; only when nothing is open."""
        if not self._voting.done:
            return _see("/vote")
        return render_page(
            "voted",
            experiment=self._ballot.experiment,
            total=self._voting.total,
            judged=self._voting.judged,
            skipped=self._voting.skipped,
            ratings=self._ballot.ratings(),
        )

    def mark(self, _request: Request) -> Response:
        """On to the first photo with a tag that is not marked."""
        return _see(f"/mark/{self._marking.open[0]}" if self._marking.open else "/mark/done")

    def photo(self, request: Request) -> Response:
        """One photo with all its tags."""
        number = _number(request)
        photo, said = self._marking.photo(number)
        return render_page(
            "mark",
            experiment=self._ballot.experiment,
            token=self._keys.form,
            number=number,
            total=self._marking.total,
            marked=self._marking.marked,
            all_tags=self._marking.all_tags,
            image_id=photo.image_id,
            title=photo.title,
            tags=[{"tag": tag, "relevant": word} for tag, word in zip(photo.tags, said, strict=True)],
        )

    async def judge(self, request: Request) -> Response:
        """A mark, or one taken back."""
        form, number = await self._form(request), _number(request)
        tag_number, _, word = form.get("mark", "").partition(":")
        if not (tag_number.isascii() and tag_number.isdigit() and word in ("yes", "no")):
            raise HTTPException(HTTPStatus.BAD_REQUEST, "a mark is the number of a tag, and yes or no")
        relevant = await run_in_threadpool(self._marking.mark, number, int(tag_number), word == "yes")
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse({"relevant": relevant, "marked": self._marking.marked})
        return _see(f"/mark/{number}#tag-{int(tag_number)}")

    def marked(self, _request: Request) -> Response:
        """Thanks, with what is still open."""
        return render_page(
            "marked",
            experiment=self._ballot.experiment,
            marked=self._marking.marked,
            all_tags=self._marking.all_tags,
            open=self._marking.open,
        )

    def picture(self, request: Request) -> Response:
        """A photo of the experiment, scaled; no other file of this machine can be asked for."""
        image_id = request.path_params["image_id"]
        if image_id not in self._shown:
            raise HTTPException(HTTPStatus.NOT_FOUND, "no such photo")
        return Response(
            self._ballot.picture(image_id), media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"}
        )

    def _next_pair(self, after: int) -> Response:
        number = self._voting.next(after)
        return _see("/vote/done" if number is None else f"/vote/{number}")

    async def _form(self, request: Request) -> dict[str, str]:
        """The fields of one of our own forms."""
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _FORM_BYTES:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no form of ours is so long")
        said = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
        form = {name: values[-1] for name, values in said.items()}
        if not self._keys.may_change(form.get("token", "")):
            raise HTTPException(HTTPStatus.FORBIDDEN, _NOTHING_CHANGED)
        return form


def make_app(desk: Desk, *, port: int, keys: Keys) -> ASGIApp:
    """The app, behind its gate.

    Args:
        desk: the routes.
        port: that it will listen on.
        keys: the same as the desk's.
    """
    routes = [
        Route("/", desk.start),
        Route("/vote", desk.vote),
        Route("/vote/done", desk.voted),
        Route("/vote/{number}", desk.pair),
        Route("/vote/{number}", desk.choose, methods=["POST"]),
        Route("/mark", desk.mark),
        Route("/mark/done", desk.marked),
        Route("/mark/{number}", desk.photo),
        Route("/mark/{number}", desk.judge, methods=["POST"]),
        Route("/photo/{image_id}", desk.picture),
        Mount(STATIC.rstrip("/"), StaticFiles(directory=Path(__file__).parent / "static")),
    ]
    handlers = {HTTPException: _refused, IndexError: _missing, TaggingError: _failed}
    return Gate(Starlette(routes=routes, exception_handlers=handlers), port=port, keys=keys, start=desk.entry)


def _see(where: str) -> Response:
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)


def _number(request: Request) -> int:
    said: str = request.path_params["number"]
    if not (said.isascii() and said.isdigit() and len(said) < 10):
        raise HTTPException(HTTPStatus.NOT_FOUND, "pages are numbered")
    return int(said)


def _refused(_request: Request, error: Exception) -> Response:
    refused = cast(HTTPException, error)
    return problem_page(refused.status_code, HTTPStatus(refused.status_code).phrase, refused.detail)


def _missing(_request: Request, _error: Exception) -> Response:
    return problem_page(HTTPStatus.NOT_FOUND, "Not Found", "There is nothing of that number; go back.")


def _failed(_request: Request, error: Exception) -> Response:
    retryable = cast(TaggingError, error).retryable
    status = HTTPStatus.SERVICE_UNAVAILABLE if retryable else HTTPStatus.INTERNAL_SERVER_ERROR
    return problem_page(status, "That did not work", f"{error}. Nothing was changed.")
