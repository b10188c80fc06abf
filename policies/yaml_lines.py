"""Reads a YAML document and remembers the line of every field.

Promises: plain values only (text, whole and decimal numbers, true, false, null, lists, mappings), the same on
every machine. Refuses: keys given twice, tags, anchors and aliases, several documents, odd keys, deep nesting.
`no`, `on`, `22:00` and `2027-01-31` are text here, as people expect, and not what YAML 1.1 makes of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from policies.problems import FieldPath, PolicyInvalid, Source, field_name, wrong
from preservation.findings import Finding
from wording import say

LARGEST = 1 << 20
DEEPEST = 20
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(slots=True)
class Located:
    """A document: its value, and where each field (and each key) of it stands."""

    value: Any
    lines: dict[FieldPath, int] = field(default_factory=dict)


def read_yaml(content: bytes, *, file: str) -> Located:
    """The document in `content`. Raises PolicyInvalid that names file and line. An empty document is `{}`."""
    text = _text(content, file=file)
    try:
        _refuse_tricks(text, file=file)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        message = say(
            "This is not YAML: line {line} cannot be read. Check the indentation, quotes and colons.", line=line
        )
        raise PolicyInvalid([wrong("policy-not-yaml", message, Source(file, line))]) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        message = say("This is not YAML: the file holds characters that a policy cannot hold.")
        raise PolicyInvalid([wrong("policy-not-yaml", message, Source(file, 1))]) from error
    if root is None:
        return Located({})
    located = Located(None)
    problems: list[Finding] = []
    located.value = _value(root, (), located=located, problems=problems, file=file)
    if problems:
        raise PolicyInvalid(problems)
    return located


def _text(content: bytes, *, file: str) -> str:
    if len(content) > LARGEST:
        message = say("The file is larger than a policy can be ({largest} bytes).", largest=LARGEST)
        raise PolicyInvalid([wrong("policy-too-large", message, Source(file), seen=len(content))])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = say("The file is not UTF-8 text. Save it as UTF-8 in the editor.")
        raise PolicyInvalid([wrong("policy-not-utf8", message, Source(file, line), expected="UTF-8")]) from error


def _refuse_tricks(text: str, *, file: str) -> None:
    """Looks at the events alone: what is refused here never becomes a value, so it can cost nothing."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        source = Source(file, 1 if event.start_mark is None else event.start_mark.line + 1)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if depth > DEEPEST:
            raise PolicyInvalid([wrong("policy-too-deep", say("The document is nested too deeply."), source)])
        if documents > 1:
            message = say("The file holds a second document (after `---`); a policy is one document.")
            raise PolicyInvalid([wrong("policy-several-documents", message, source)])
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
            message = say("Anchors (`&`), aliases (`*`) and tags (`!`) are not used in policies. "
                          "A text that begins with one of these signs stands in quotes.")  # fmt: skip
            raise PolicyInvalid([wrong("policy-alias", message, source)])


def _value(node: yaml.Node, path: FieldPath, *, located: Located, problems: list[Finding], file: str) -> object:
    located.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, located=located, problems=problems, file=file)
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(item, (*path, index), located=located, problems=problems, file=file)
            for index, item in enumerate(node.value)
        ]
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node)


def _mapping(
    node: yaml.MappingNode, path: FieldPath, *, located: Located, problems: list[Finding], file: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        source = Source(file, key_node.start_mark.line + 1)
        if not isinstance(key_node, yaml.ScalarNode):
            message = say("A field name in `{field}` is not text.", field=field_name(path))
            problems.append(wrong("policy-odd-key", message, source))
            continue
        key = key_node.value
        place = (*path, key)
        if key in found:
            message = say(
                "`{field}` is given twice; it stands in line {line} already. Keep one of them.",
                field=field_name(place),
                line=located.lines[place],
            )
            problems.append(wrong("policy-key-twice", message, source))
            continue
        located.lines[place] = key_node.start_mark.line + 1
        found[key] = _value(value_node, place, located=located, problems=problems, file=file)
    return found


def _scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    text: str = node.value
    if node.style is not None:
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text
