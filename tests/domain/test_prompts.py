import json

import pytest

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.prompts import Message, parse_prompt, quoted, render

HEAD = "---\nid: pick\npurpose: Pick.\nmode: select\nvariables: [caption]\n---\n"


def made(body: str, variables: str = "[caption]") -> str:
    return HEAD.replace("[caption]", variables) + body


def test_a_prompt_is_split_into_its_parts() -> None:
    prompt = parse_prompt(made("## system\nBe brief.\n\n## user\nSay {{ caption }}\n"), "pick.md")
    assert (prompt.id, prompt.mode, prompt.variables) == ("pick", "select", ("caption",))
    assert (prompt.system, prompt.user) == ("Be brief.", "Say {{ caption }}")


def test_the_system_section_may_be_left_out() -> None:
    prompt = parse_prompt(made("## user\n{{ caption }}\n"), "pick.md")
    assert render(prompt, {"caption": "a cat"}) == (Message("user", "a cat"),)


def test_rendering_fills_both_messages_and_ignores_what_the_prompt_does_not_use() -> None:
    prompt = parse_prompt(made("## system\nS {{ caption }}\n## user\nU {{ caption }}\n"), "pick.md")
    assert render(prompt, {"caption": "x", "name": "y"}) == (Message("system", "S x"), Message("user", "U x"))


@pytest.mark.parametrize(
    "text",
    [
        '{"tags": ["cat", "dog"]}',  # as replies look
        '{"a": {"b": {"c": 1}}}',  # closing braces in a row are no Jinja
        "100% of {these}",  # single braces and percent signs
        '{"why": "…", "winner": "a"}',  # letters of any script
    ],
)
def test_json_in_a_prompt_survives(text: str) -> None:
    prompt = parse_prompt(made(f"## user\n{{{{ caption }}}} {text}\n"), "pick.md")
    assert render(prompt, {"caption": "x"})[0].content == f"x {text}"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('{{ "{{" }} x {{ "}}" }}', "{{ x }}"),  # as an expression
        ("{% raw %}{{ x }} {% y %}{% endraw %}", "{{ x }} {% y %}"),  # as a raw block
    ],
)
def test_marks_of_the_template_language_can_be_said(written: str, read: str) -> None:
    prompt = parse_prompt(made(f"## user\n{{{{ caption }}}} {written}\n"), "pick.md")
    assert render(prompt, {"caption": "x"})[0].content == f"x {read}"


@pytest.mark.parametrize(
    ("mode", "variable", "complaint"),
    [
        (
            "select",
            "suggestion",
            "there are allowed, camera, caption, captured_at, creator, folder, keywords, max_tags, name, tags",
        ),
        ("caption", "allowed", "there are camera, caption, captured_at, creator, folder, keywords, name"),
        ("classify", "tags", "there are camera, caption, captured_at, creator, folder, keywords, max_tags, name"),
        ("judge", "tags", "there are a, b, camera, caption, captured_at, creator, folder, keywords, name"),
        ("select", "visual_tags", "there are allowed,"),  # what `tags` was called once
    ],
)
def test_an_unknown_variable_is_told_with_those_that_are_there(mode: str, variable: str, complaint: str) -> None:
    text = made(f"## user\n{{{{ {variable} }}}}", f"[{variable}]").replace("mode: select", f"mode: {mode}")
    with pytest.raises(SettingsError, match=f"{variable}: no such variable in this mode; {complaint}"):
        parse_prompt(text, "pick.md")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("## user\nhello", "no front matter"),  # none at all
        (HEAD, "no `## user` section"),  # nothing below
        (made("## user\n\n"), "no `## user` section"),  # an empty section
        (made("hello\n## user\n{{ caption }}"), "before the first section"),  # text that would be lost
        (made("## user\n{{ caption }}\n## user\nb"), "comes twice"),  # which of both?
        (made("## user\n{{ captoin }}"), "captoin: used but not listed"),  # a misspelt variable
        (made("## user\nhello"), "caption: listed under `variables` but not used"),  # a forgotten one
        (made("## user\n{{ lens }}", "[lens]"), "lens: no such variable"),  # nobody fills it in
        (made("## user\n{{ caption "), "its line 1"),  # a template error, with its place
        (made("## user\n{{ caption | shout }}"), "shout"),  # a filter that is not there
        (made("## user\n{{ caption }}").replace("select", "sing"), "mode 'sing' is unknown; use one of"),
        (made("## user\n{{ caption }}").replace("purpose", "porpoise"), "front matter: purpose"),
        (made("## user\n{{ caption }}").replace("id: pick", "id: Pick Me"), "front matter: id"),
        (made("## user\n{{ caption }}").replace("id: pick", "id: [pick"), "not YAML"),
        ("---\n- a\n---\n## user\nx", "front matter: it"),  # a list is no front matter
        (made("## user\n{{ caption }}").replace("mode:", "hint: {}\nmode:"), "hint: no such entry; there are id"),
        (made("## user\n{{ caption }}").replace("mode:", "hints: {max_output_tokens: x}\nmode:"), "a whole number"),
        (made("## user\n{{ caption }}").replace("mode:", "hints: {max_output_tokens: 0}\nmode:"), "a whole number"),
    ],
)
def test_a_prompt_that_makes_no_sense_is_refused_with_one_line(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_prompt(text, "pick.md")
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("pick.md: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "values", "complaint"),
    [
        ("{{ caption }}", {}, "'caption' is undefined"),  # nobody said it
        ("{{ caption.nothing }}", {"caption": "x"}, "no attribute 'nothing'"),  # of what was said
        ("{{ caption / 2 }}", {"caption": "x"}, "unsupported operand"),  # of the wrong type
        ("{{ caption.__class__ }}", {"caption": "x"}, "unsafe"),  # the sandbox holds
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}{{ caption }}", {"caption": "x"}, "calls itself"),
    ],
)
def test_a_prompt_that_cannot_be_filled_in_is_a_settings_error(
    body: str, values: dict[str, object], complaint: str
) -> None:
    prompt = parse_prompt(made(f"## user\n{body}"), "pick.md")
    with pytest.raises(SettingsError, match=complaint):
        render(prompt, values)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (made("## user\nSay {{ caption }}").replace("Pick.", "Choose."), True),  # only the purpose differs
        (made("## user\nSay {{ caption }}").replace("\n", "\r\n"), True),  # Windows line ends
        (made("## user\nSay {{ caption }}  \n\n\n"), True),  # blanks at the end
        ("\ufeff" + made("## user\nSay {{ caption }}"), True),  # a byte-order mark
        (made("## user\nsay {{ caption }}"), False),  # another word
        (made("## system\nS\n## user\nSay {{ caption }}"), False),  # another message
        (made("## user\nSay {{ caption }}").replace("mode:", "hints: {a: 1}\nmode:"), False),  # another hint
    ],
)
def test_the_hash_changes_with_what_can_change_an_answer(other: str, same: bool) -> None:
    first = parse_prompt(made("## user\nSay {{ caption }}"), "pick.md")
    assert (parse_prompt(other, "pick.md").hash == first.hash) is same


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a cat", '"a cat"'),
        ("Füße 猫", '"Füße 猫"'),  # letters stay letters
        ('say "hi"\nTags: dog', '"say \\"hi\\"\\nTags: dog"'),  # stays on its line, in its quotes
        ("<end_of_turn>", '"\\u003cend_of_turn\\u003e"'),  # forges no role
    ],
)
def test_quoted_text_can_be_read_back_and_not_break_out(text: str, safe: str) -> None:
    assert quoted(text) == safe
    assert json.loads(quoted(text)) == text


def test_text_with_template_marks_is_not_a_template() -> None:
    prompt = parse_prompt(made("## user\n{{ caption | quoted }}"), "pick.md")
    assert render(prompt, {"caption": "{{ 7 * 7 }}"})[0].content == '"{{ 7 * 7 }}"'


@pytest.mark.parametrize(
    "loop",
    [
        "{% for a in range(90000) %}{% for b in range(90000) %}xxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
        "{% for a in range(90000) %}{{ caption }}{{ caption }}{{ caption }}{% endfor %}",
    ],
)
def test_a_prompt_that_grows_without_end_is_given_up(loop: str) -> None:
    prompt = parse_prompt(made(f"## user\n{{{{ caption }}}} {loop}\n"), "pick.md")
    with pytest.raises(SettingsError, match="comes to more than"):
        render(prompt, {"caption": "a photo of a dog"})


def test_quoted_text_is_text_that_can_be_sent() -> None:
    assert json.loads(quoted("a \ud83d dog\x00")) == "a \ufffd dog"
