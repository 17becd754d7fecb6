"""Which prompts are in use, and what is refused before anything is asked."""

import pytest

from tagging_assets.domain.asking_way import choose_way
from tagging_assets.domain.chat_settings import Chat
from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.prompts import MODE_VARIABLES, Prompt


def prompt(mode: str) -> Prompt:
    """One that is named after its mode."""
    assert mode in MODE_VARIABLES
    return Prompt(mode, "x", mode, "", "x", (), {}, f"hash of {mode}")


@pytest.mark.parametrize(
    ("said", "used"),
    [
        ({}, ("select",)),  # as shipped
        ({"strategy": "quick", "prompt": "see"}, ("see",)),
        ({"caption_prompt": "classify"}, ("classify", "select")),  # words for their own sake
        ({"strategy": "detailed"}, ("caption", "merge")),  # words to merge, by default a caption
        ({"strategy": "detailed", "caption_prompt": "see"}, ("see", "merge")),
    ],
)
def test_the_prompts_in_use(said: dict[str, str], used: tuple[str, ...]) -> None:
    way = choose_way(Chat.model_validate(said), prompt)
    assert tuple(one.id for one in way.prompts) == used


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"prompt": "merge"}, "llm.prompt: prompt merge is of mode merge; name one of mode see or select"),
        ({"strategy": "detailed", "merge_prompt": "select"}, "llm.merge_prompt: prompt select"),
        ({"caption_prompt": "judge"}, "llm.caption_prompt: prompt judge"),
    ],
)
def test_a_prompt_in_the_wrong_place_is_refused(said: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choose_way(Chat.model_validate(said), prompt)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({}, None),  # words only
        ({"prompt": "see"}, "prompt see .* m cannot look; .* mode select"),
        ({"strategy": "detailed"}, "prompt caption .* mode classify"),
        ({"strategy": "detailed", "caption_prompt": "classify"}, None),  # goes by the texts where it must
    ],
)
def test_pictures_are_not_shown_to_the_blind(said: dict[str, str], complaint: str | None) -> None:
    way = choose_way(Chat.model_validate(said), prompt)
    way.check_eyes("m", sees=True)
    if complaint is None:
        way.check_eyes("m", sees=False)
        return
    with pytest.raises(SettingsError, match=complaint):
        way.check_eyes("m", sees=False)
