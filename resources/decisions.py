"""People's verdicts on tags in Postgres: one row per verdict, appended, never changed; the newest one holds.

They are keyed by ``image_id``, so they survive moves, renames and new headers, and by tag, so they survive new
models, prompts and rules. Beside each verdict stands what the machine said at that moment, which calibrations are
fitted to. What does not belong here: what makes sense (``domain/verdicts.py``), and running what a verdict touches.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from resources.locks import lock_transaction
from resources.manifest_rows import chunks, guard, rows_of
from resources.tables import batch as batch_table
from resources.tables import decision, image, published_tag
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.fusion import fuse
from tagging_assets.domain.rules import normalise_tag
from tagging_assets.domain.verdicts import PERSON_SOURCE, Request, StandingVerdict, news, one_line, standing

#: Key of the advisory lock that lets one process at a time write verdicts: what holds must not change meanwhile.
_LOCK = 0x6465_6369_6465

#: The columns of a ``StandingVerdict``, by its names, and whose it is.
_SELECT: sa.Select[Any] = sa.select(
    decision.c.image_id,
    decision.c.tag,
    decision.c.verdict,
    decision.c.category,
    decision.c.replaces,
    decision.c.who,
    decision.c.why,
    decision.c.at.label("decided_at"),
    decision.c.decision_id,
)


@dataclass(frozen=True, slots=True)
class MachineWord:
    """What the machine says about a tag of a photo that the world sees.

    Attributes:
        category: of the published tag.
        sources: structs of the column ``sources``, people's left out.
    """

    category: str
    sources: list[dict[str, Any]] = field(default_factory=list)

    @property
    def score(self) -> float | None:
        """What these sources alone make of the tag, in [0, 1]; ``None`` where there are none."""
        return fuse((one["weight"], one["confidence"]) for one in self.sources) if self.sources else None


@dataclass(frozen=True, slots=True)
class _Present:
    """How things stand: batches by image, verdicts by image and tag, and the machine's word by (image, tag)."""

    batches: Mapping[str, str]
    given: Mapping[str, Mapping[str, StandingVerdict]]
    published: Mapping[tuple[str, str], MachineWord]
    earlier: Mapping[tuple[str, str], tuple[float | None, list[dict[str, Any]]]]

    def row(self, request: Request) -> dict[str, Any]:
        """What is kept of a request. A tag that is not shown now keeps what the machine said when it last was."""
        key = (request.image_id, request.tag)
        word = self.published.get(key)
        score, sources = (word.score, word.sources) if word is not None else self.earlier.get(key, (None, []))
        return {
            **asdict(request),
            "verdict": str(request.verdict),
            "category": request.category or None,
            "replaces": request.replaces or None,
            "score": score,
            "sources": sources,
        }


class Decisions:
    """Writes and reads verdicts.

    Every method raises ``DatabaseUnavailable`` (retryable) where Postgres does not answer, and ``StorageError``
    where it refuses.

    Args:
        engine: of the project's database.
        canonical: a spelling of a tag to the one that stands for it (``Rules.canonical``).
    """

    def __init__(self, engine: sa.Engine, canonical: Callable[[str], str] = normalise_tag) -> None:
        self._engine = engine
        self._canonical = canonical

    def record(
        self, requests: Sequence[Request], *, who: str, why: str = "", operation: str, now: datetime
    ) -> list[int]:
        """Write down verdicts, all or none, with the machine's word at this moment.

        What stands already, in the same words of the same person, is not written again.

        Args:
            requests: checked (``verdicts.checked``).
            who: says so.
            why: for requests that do not say why themselves.
            operation: id of what they are part of (see ``resources.history``).
            now: aware UTC.

        Returns:
            Ids of the new rows, in the order of the requests.

        Raises:
            SettingsError: an unknown image, nobody's name, or a tag accepted or edited that is not there.
        """
        with guard(), self._engine.begin() as connection:
            lock_transaction(connection, _LOCK, "writing down verdicts")
            present, new = self._news(connection, requests, who, why)
            if not new:
                return []
            common = {"who": one_line(who), "at": now, "operation": operation}
            statement = sa.insert(decision).returning(decision.c.decision_id, sort_by_parameter_order=True)
            rows = [{**present.row(request), **common} for request in new]
            written = list(connection.scalars(statement, rows))
            _bump(connection, sorted({present.batches[request.image_id] for request in new}), now)
        return written

    def preview(self, requests: Sequence[Request], *, who: str, why: str = "") -> list[Request]:
        """What :meth:`record` would write now, with categories filled in; reads only.

        Raises:
            SettingsError: as :meth:`record`.
        """
        with guard(), self._engine.connect() as connection:
            return self._news(connection, requests, who, why)[1]

    def standing(self, batch: str) -> dict[str, list[StandingVerdict]]:
        """Verdicts that hold, by image, in the order of tags; images without any are left out.

        Photos that are gone are among them: verdicts come and go by people's word alone.
        """
        images = sa.select(image.c.image_id).where(image.c.batch == batch)
        with guard(), self._engine.connect() as connection:
            found = _standing(connection, _SELECT.where(decision.c.image_id.in_(images)))
        return {image_id: list(said.values()) for image_id, said in sorted(found.items())}

    def of(self, image_id: str) -> list[dict[str, Any]]:
        """Every verdict ever given on a photo, oldest first: all columns of the table."""
        chosen = sa.select(decision).where(decision.c.image_id == image_id).order_by(decision.c.decision_id)
        with guard(), self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(chosen).mappings()]

    def listing(self, image_ids: Sequence[str] | None = None) -> list[tuple[str, StandingVerdict]]:
        """Verdicts that hold, with the image they are about; of all images by default."""
        with guard(), self._engine.connect() as connection:
            found = _standing(connection, _SELECT) if image_ids is None else _of_images(connection, image_ids)
        return [(image_id, one) for image_id, said in sorted(found.items()) for one in said.values()]

    def tagged(self, tag: str) -> dict[str, str]:
        """Photos on which a tag is published, by id, with their uri; gone ones are left out."""
        chosen = (
            sa.select(image.c.image_id, image.c.uri)
            .join(published_tag, published_tag.c.image_id == image.c.image_id)
            .where(published_tag.c.tag == self._canonical(tag))
            .where(published_tag.c.withdrawn_at.is_(None), image.c.gone_at.is_(None))
            .order_by(image.c.uri)
        )
        with guard(), self._engine.connect() as connection:
            return {row.image_id: row.uri for row in connection.execute(chosen)}

    def shown(self, tags: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, float]]:
        """Status and score of published tags, by (image_id, tag); what is not published is left out."""
        table = published_tag.c
        with guard(), self._engine.connect() as connection:
            rows = _of_published(connection, sorted(set(tags)), table.status, table.score)
            return {(row.image_id, row.tag): (row.status, row.score) for row in rows}

    def batches(self, image_ids: Sequence[str]) -> list[str]:
        """The batches that photos are in, in order; unknown photos are in none."""
        with guard(), self._engine.connect() as connection:
            return sorted(set(_batches(connection, sorted(set(image_ids))).values()))

    def revision(self, batch: str) -> int:
        """Counts what was said about the photos of a batch; the same number again, and nothing was."""
        chosen = sa.select(batch_table.c.decisions).where(batch_table.c.batch == batch)
        with guard(), self._engine.connect() as connection:
            return connection.execute(chosen).scalar_one_or_none() or 0

    def _news(
        self, connection: sa.Connection, requests: Sequence[Request], who: str, why: str
    ) -> tuple[_Present, list[Request]]:
        name, reason = one_line(who), one_line(why)
        if not name:
            raise SettingsError("nobody says so; name who decides")
        said = [
            Request(one.image_id, one.tag, one.verdict, one.category, one.replaces, one.why or reason)
            for one in requests
        ]
        present = _present(connection, said)
        categories = {key: word.category for key, word in present.published.items()}
        return present, news(said, name, present.given, categories, self._canonical)


def _present(connection: sa.Connection, requests: Sequence[Request]) -> _Present:
    image_ids = sorted({request.image_id for request in requests})
    batches = _batches(connection, image_ids)
    unknown = [image_id for image_id in image_ids if image_id not in batches]
    if unknown:
        more = f" (nor of {len(unknown) - 1} others)" if len(unknown) > 1 else ""
        raise SettingsError(f'no photo has the image_id "{unknown[0]}"{more}; `tagging tags --json` tells them')
    pairs = sorted({(one.image_id, tag) for one in requests for tag in (one.tag, one.replaces) if tag})
    return _Present(
        batches, _of_images(connection, image_ids), _published(connection, pairs), _earlier(connection, pairs)
    )


def _batches(connection: sa.Connection, image_ids: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for chunk in chunks(image_ids):
        chosen = sa.select(image.c.image_id, image.c.batch).where(image.c.image_id.in_(_array(chunk)))
        found.update((row.image_id, row.batch) for row in connection.execute(chosen))
    return found


def _of_images(connection: sa.Connection, image_ids: Sequence[str]) -> dict[str, dict[str, StandingVerdict]]:
    found: dict[str, dict[str, StandingVerdict]] = {}
    for chunk in chunks(image_ids):
        found |= _standing(connection, _SELECT.where(decision.c.image_id.in_(_array(chunk))))
    return found


def _standing(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, dict[str, StandingVerdict]]:
    """What holds of the verdicts of a query over :data:`_SELECT`, by image and tag."""
    newest = query.ext(distinct_on(decision.c.image_id, decision.c.tag)).order_by(
        decision.c.image_id, decision.c.tag, decision.c.decision_id.desc()
    )
    given: defaultdict[str, list[StandingVerdict]] = defaultdict(list)
    for row in connection.execute(newest).mappings():
        given[row["image_id"]].append(StandingVerdict.from_row(dict(row)))
    return {image_id: said for image_id, verdicts in given.items() if (said := standing(verdicts))}


def _published(connection: sa.Connection, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], MachineWord]:
    rows = _of_published(connection, pairs, published_tag.c.category, published_tag.c.sources)
    return {(row.image_id, row.tag): MachineWord(row.category, _machines(row.sources)) for row in rows}


def _of_published(
    connection: sa.Connection, pairs: Sequence[tuple[str, str]], *columns: sa.Column[Any]
) -> Iterator[sa.Row[Any]]:
    """Image, tag and some columns of those (image_id, tag) that are published."""
    table = published_tag.c
    for chunk in chunks(pairs):
        wanted = rows_of({"image_id": sa.Text, "tag": sa.Text}, chunk)
        chosen = (
            sa.select(table.image_id, table.tag, *columns)
            .join(wanted, sa.and_(wanted.c.image_id == table.image_id, wanted.c.tag == table.tag))
            .where(table.withdrawn_at.is_(None))
        )
        yield from connection.execute(chosen)


def _earlier(
    connection: sa.Connection, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[float | None, list[dict[str, Any]]]]:
    """Score and sources beside the newest verdict on each tag."""
    found = {}
    for chunk in chunks(pairs):
        wanted = rows_of({"image_id": sa.Text, "tag": sa.Text}, chunk)
        chosen = (
            sa.select(decision.c.image_id, decision.c.tag, decision.c.score, decision.c.sources)
            .join(wanted, sa.and_(wanted.c.image_id == decision.c.image_id, wanted.c.tag == decision.c.tag))
            .ext(distinct_on(decision.c.image_id, decision.c.tag))
            .order_by(decision.c.image_id, decision.c.tag, decision.c.decision_id.desc())
        )
        for row in connection.execute(chosen):
            found[(row.image_id, row.tag)] = (row.score, list(row.sources))
    return found


def _machines(sources: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [source for source in sources if source["source"] != PERSON_SOURCE]


def _array(values: Sequence[str]) -> sa.Select[Any]:
    return sa.select(rows_of({"value": sa.Text}, [(value,) for value in values]).c.value)


def _bump(connection: sa.Connection, batches: Sequence[str], now: datetime) -> None:
    statement = insert(batch_table).values([{"batch": name, "decisions": 1, "changed_at": now} for name in batches])
    more = {"decisions": batch_table.c.decisions + 1, "changed_at": statement.excluded.changed_at}
    connection.execute(statement.on_conflict_do_update(index_elements=["batch"], set_=more))
