"""The frame: at most one script, and a policy that lets only that one run."""

import base64
import hashlib
import re

import pytest

from tagging_assets.domain.page import page

SCRIPT = '"use strict";\nconst lesser = 1 < 2 && "é";\n'


def test_a_page_without_a_script_allows_none() -> None:
    text = page("T", "", "<p>x</p>\n")
    assert "script" not in text


def test_the_policy_names_the_script_by_what_stands_between_its_tags() -> None:
    text = page("T", "", "<p>x</p>\n", SCRIPT)
    found = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert found
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\"" in text
    assert text.count("<script") == 1


@pytest.mark.parametrize("script", ["a</script>b", "<!-- a", "a\r\nb"])
def test_a_script_that_would_not_be_hashed_as_it_stands_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match="hashed"):
        page("T", "", "", script)
