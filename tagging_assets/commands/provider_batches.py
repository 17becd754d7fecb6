"""``tagging provider-batches``: what was handed to providers' batch APIs, and doing it now without the daemon."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from resources.batch_book import Batch
from resources.provider_batches import Worked
from tagging_assets.commands.console import print_note, print_table
from tagging_assets.commands.session import Session


def work(session: Session) -> Worked:
    """Submit, poll and collect now.

    Raises:
        LlmRejected: a provider says no for good.
    """
    return session.toolbox.provider_batches.work(at_once=True)


def cancel(session: Session, batch_id: str) -> str:
    """Ask a provider to end a batch; the state that it is in now.

    Raises:
        SettingsError: there is no such batch under way.
        LlmRejected, LlmUnavailable, LlmError: the provider says no.
    """
    return session.toolbox.provider_batches.cancel(batch_id).state


def listing(session: Session, limit: int) -> dict[str, Any]:
    """Batches, newest first, and the questions that wait for the next ones."""
    book, now = session.toolbox.provider_batches.book, datetime.now(UTC)
    return {
        "batches": [_told(batch, now) for batch in book.batches(limit)],
        "queued": [
            {"provider": provider, "model": model, "questions": count}
            for (provider, model), count in book.queued().items()
        ],
        "given_up": book.given_up(),
    }


def _told(batch: Batch, now: datetime) -> dict[str, Any]:
    times = ("submitted_at", "polled_at", "collected_at")
    said = asdict(batch)
    end = batch.collected_at or now
    return {
        **said,
        **{name: said[name].isoformat() if said[name] else None for name in times},
        "age_seconds": round((end - batch.submitted_at).total_seconds()),
    }


def say(worked: Worked) -> None:
    """Tell a person what was done."""
    print_note(worked.says)


def show(told: dict[str, Any]) -> None:
    """Tell a person."""
    batches: Sequence[dict[str, Any]] = told["batches"]
    print_table(
        "batches at providers",
        ["id", "model", "state", "questions", "answered", "took", "error"],
        [
            (
                one["id"],
                f"{one['provider']}/{one['model']}",
                "collected" if one["collected_at"] and one["state"] == "completed" else one["state"],
                one["questions"],
                one["answered"],
                _age(one["age_seconds"]),
                one["error"],
            )
            for one in batches
        ],
    )
    for queue in told["queued"]:
        model = f"{queue['provider']}/{queue['model']}"
        print_note(f"{queue['questions']} questions to {model} wait for the next batch.")
    if told["given_up"]:
        print_note(f"{told['given_up']} questions were given up; the next run over their photos says why.")


def _age(seconds: int) -> str:
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"
