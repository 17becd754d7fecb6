"""The frame of a page that needs nothing but itself: no fonts, no other files, and a policy that says so.

A page may carry one script, whose hash stands in its policy: no other script runs, whatever names and tags on the
page try. What does not belong here: what is on a page.
"""

import base64
import hashlib

from tagging_assets.domain.printable import for_block, for_markup

#: Text as pages show it, where whatever fills the page in escapes it; and escaped, in an element or an attribute.
readable, escaped = for_block, for_markup

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}{script}</body>
</html>
"""

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, style: str, body: str, script: str = "") -> str:
    """A whole page.

    Args:
        title: of the window, as plain text.
        style: CSS.
        body: HTML that ends with a line break.
        script: JavaScript of this project, run at the end of the page; nothing that came from outside belongs in it.

    Raises:
        ValueError: the script has something in it that would end its element.
    """
    return _PAGE.format(
        title=escaped(title),
        style=style,
        body=body,
        policy=f"{_POLICY}; script-src 'sha256-{_digest(script)}'" if script else _POLICY,
        script=f"<script>{script}</script>\n" if script else "",
    )


def _digest(script: str) -> str:
    if "</" in script or "<!--" in script or "\r" in script:
        raise ValueError("a script must hold neither '</', '<!--' nor carriage returns: they change what is hashed")
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
