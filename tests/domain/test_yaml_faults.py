"""Faults in YAML are told with their line, whoever found them."""

import pytest
import ruamel.yaml
import yaml

from tagging_assets.domain.yaml_faults import yaml_message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # what is wrong, not what was being parsed; people count lines from 1
        ("a: 1\nmodels: [good\nprompts: ]", "line 3: expected ',' or ']', but got ':'"),
        # a tab
        ("a:\n\tb: 1", "line 2: found character '\\t' that cannot start any token"),
    ],
)
def test_the_line_is_told(text: str, told: str) -> None:
    for load, kind in ((yaml.safe_load, yaml.YAMLError), (ruamel.yaml.YAML().load, ruamel.yaml.error.YAMLError)):
        with pytest.raises(kind) as caught:
            load(text)
        assert yaml_message(caught.value) == told


def test_what_has_no_line_is_one_line() -> None:
    assert yaml_message(ValueError("no\n  place")) == "no place"
