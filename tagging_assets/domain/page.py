"""The frame of a page that needs nothing but itself: no scripts, no fonts, no other files, and a policy that says so.

What does not belong here: what is on a page.
"""

from html import escape

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}</body>
</html>
"""


def page(title: str, style: str, body: str) -> str:
    """A whole page.

    Args:
        title: of the window, as plain text.
        style: CSS.
        body: HTML that ends with a line break.
    """
    return _PAGE.format(title=escaped(title), style=style, body=body)


def readable(text: str) -> str:
    """Text that can be shown: bytes of a file name that are no UTF-8 become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def escaped(text: str) -> str:
    """Text as HTML shows it, in an element or an attribute."""
    return escape(readable(text), quote=True)
