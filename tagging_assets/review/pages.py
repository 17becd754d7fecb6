"""Pages from templates. Every value is escaped; nothing in a page runs but our own script file."""

from functools import cache
from http import HTTPStatus
from typing import Any

import jinja2
from starlette.responses import HTMLResponse

from tagging_assets.domain.page import readable


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tagging_assets.review"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["readable"] = readable
    return environment


def render_page(template: str, status: int = HTTPStatus.OK, **values: Any) -> HTMLResponse:
    """A page.

    Args:
        template: name of a file in ``templates``, without its ending.
        status: of the reply.
        values: what the template names.
    """
    text = _templates().get_template(f"{template}.html").render(**values)
    return HTMLResponse(text, status_code=status)


def problem_page(status: int, title: str, text: str) -> HTMLResponse:
    """A page that says what is wrong and what to do."""
    return render_page("problem", status, title=title, text=text)
