"""What is wrong with YAML that people wrote, in one line.

What does not belong here: what the files may say; each reader knows that itself.
"""


def yaml_message(error: Exception) -> str:
    """The fault and its line.

    Args:
        error: of PyYAML or ruamel.yaml, or of decoding the text.
    """
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem is None or mark is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}: {problem}"
