"""YAML that people wrote, or somebody else: read within limits, faults told in one line with their place.

The one way in for all YAML: settings, label sets, front matter of prompts, catalogues, experiments, prices. It makes
plain values only. Aliases may not multiply a small file into a huge value, nesting is bounded, and time grows with
the length of the text. What YAML 1.1 takes for numbers to the base 60 (``1:30``) stays text, as in YAML 1.2.

What does not belong here: reading files (``tagging_assets/text_files.py``), what the files may say.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from tagging_assets.domain.errors import SettingsError
from tagging_assets.domain.printable import for_line
from tagging_assets.domain.yaml_faults import yaml_message

_DEEPEST = 50
#: Values in a file, each counted as often as aliases repeat it.
_MOST_VALUES = 200_000
_LONGEST_NUMBER = 100
#: Longer broken files get the terser message of the C library.
_EXPLAINED = 50_000
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MERGE = "tag:yaml.org,2002:merge"

# The library in C, where there is one: tenfold as fast, and its parser does not recurse.
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc]
    """Plain values; what cannot be one is a fault at its place."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value; numbers and dates that are none are faults of YAML, not of Python."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise _fault(node, f"{_excerpt(node)} makes no sense: {error}") from error


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    if ":" in node.value:
        return node.value
    if len(node.value) > _LONGEST_NUMBER:
        raise _fault(node, f"{_excerpt(node)} is a number of {len(node.value)} digits")
    kind = node.tag.rpartition(":")[2]
    return yaml.SafeLoader.yaml_constructors[f"tag:yaml.org,2002:{kind}"](loader, node)


for _tag in _NUMBERS:
    _Loader.add_constructor(_tag, _number)


def parse_yaml(text: str, where: str, *, text_keys: bool = False) -> Any:
    """What a text says.

    Args:
        text: one YAML document, or nothing.
        where: the file's name, for messages.
        text_keys: whether every key must be text, where ``on`` and ``1`` would be taken for something else.

    Returns:
        Plain values: mappings, lists, texts, numbers, dates, ``None``.

    Raises:
        SettingsError: one line that names the file, the line and the fault.
    """
    text = text.removeprefix("\ufeff")
    if strange := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line, letter = text.count("\n", 0, strange.start()) + 1, ascii(strange[0])
        raise SettingsError(f"{where}: is not YAML: line {line}: the character {letter} is not allowed; remove it")
    try:
        _check_shape(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _Graph(text_keys).check(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"{where}: is not YAML: {for_line(yaml_message(_explained(text, error)))}") from error


def _check_shape(text: str) -> None:
    """How deep and how much it is, before anything is built: the parser takes one step at a time."""
    depth = values = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        values += isinstance(event, yaml.NodeEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            raise _fault(event, "a second document begins; keep one a file")
        if depth > _DEEPEST:
            raise _fault(event, f"nested deeper than {_DEEPEST} levels")
        if values > _MOST_VALUES:
            raise _fault(event, f"more than {_MOST_VALUES} values; split the file")


class _Graph:
    """Checks what YAML's values are made of: no value within itself, none a million times over, no key twice."""

    def __init__(self, text_keys: bool) -> None:
        self._text_keys = text_keys
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def check(self, node: yaml.Node) -> int:
        """How many values a node comes to, aliases followed.

        Raises:
            ConstructorError: it is none that a file of ours may have.
        """
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) in self._open:
            raise _fault(node, "a value is part of itself; write it out, without the alias")
        if id(node) in self._sizes:
            return self._sizes[id(node)]
        self._open.add(id(node))
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
        size = 1 + sum(map(self.check, _parts(node)))
        if size > _MOST_VALUES:
            raise _fault(node, f"its aliases come to more than {_MOST_VALUES} values")
        self._open.discard(id(node))
        self._sizes[id(node)] = size
        return size

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault(key, "a key must be a word, not a list or a mapping")
            if key.tag == _MERGE:
                continue
            if self._text_keys and key.tag != "tag:yaml.org,2002:str":
                raise _fault(key, f"key {_excerpt(key)} must be text; put it in quotes")
            if (key.tag, key.value) in seen:
                raise _fault(key, f'key "{_excerpt(key)}" is there twice; keep one')
            seen.add((key.tag, key.value))


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    for one in node.value:
        if isinstance(one, tuple):
            yield from one
        else:
            yield one


def _fault(place: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, place.start_mark)


def _excerpt(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return "this"
    said = str(node.value)
    return said if len(said) <= 40 else f"{said[:40]}…"


def _explained(text: str, error: Exception) -> Exception:
    """The same fault in the words of the library in Python, which says what it met instead."""
    if len(text) > _EXPLAINED or not isinstance(error, yaml.scanner.ScannerError | yaml.parser.ParserError):
        return error
    try:
        for _ in yaml.parse(text, Loader=yaml.SafeLoader):
            pass
    except yaml.YAMLError as better:
        return better
    return error
