"""YAML files read strictly: every fault is reported with its file and line, a misspelt key with the nearest known one.

YAML 1.1's surprises are off: `on`, `off`, `yes` and `no` are words, only `true` and `false` are booleans; a number with
a point is a Decimal; digits that begin with 0 (a record id) stay text instead of turning octal; a key given twice is an
error instead of a silent loss.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError

from leakwatch.errors import ConfigError

MAX_CHARACTERS = 2_000_000  # a hundred times the longest file that ships with leakwatch
MAX_DEPTH = 50  # ten times the deepest of them; libyaml composes nodes on the C stack, which deep ones would exhaust

_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)

Position = tuple[Hashable, ...]
Spec = TypeVar("Spec", bound=BaseModel)


class _Loader(yaml.CSafeLoader):  # libyaml's, ten times as fast; part of every wheel of PyYAML
    """SafeLoader with YAML 1.2's booleans and with Decimal for numbers that have a point."""


_YAML_1_1 = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float", "tag:yaml.org,2002:int")
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in _YAML_1_1]
    for letter, resolvers in cast("dict[str, list[tuple[str, Any]]]", yaml.SafeLoader.yaml_implicit_resolvers).items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+\.[0-9]+$"), list("-+0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _loader, node: Decimal(str(node.value)))


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file's data and the line (from 1) of each key and list entry in it."""

    name: str
    data: Any
    lines: Mapping[Position, int]

    def line(self, position: Position) -> int:
        """Return the line of `position`, or of the nearest thing around it."""
        while position and position not in self.lines:
            position = position[:-1]
        return self.lines.get(position, 1)

    def at(self, position: Position) -> str:
        """Return `file, line N` for `position`."""
        return f"{self.name}, line {self.line(position)}"


def read(path: Path) -> Document:
    """Return the document in the file at `path`; an empty file gives an empty mapping.

    Raises:
        ConfigError: the file can't be read, is not UTF-8 or not YAML, or has a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    return parse(text, name=str(path))


def parse(text: str, *, name: str) -> Document:
    """Return the document in `text`. Raises ConfigError as `read` does."""
    try:
        _check_shape(text, name)
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Position, int] = {}
        problems: list[str] = []
        if node is None:
            return Document(name, {}, {})
        _note_lines(node, (), lines, problems, name)
        if problems:
            raise ConfigError(problems)
        return Document(name, loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}, line {mark.line + 1}" if mark else name
        raise ConfigError(f"{where}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {error}") from error
    except ValueError as error:  # e.g. a date like 2026-02-30
        raise ConfigError(f"{name}: {error}") from error


def _check_shape(text: str, name: str) -> None:
    """Refuse what could fill the memory or the stack: nine nested aliases of nine entries stand for 400 million."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{name}: longer than {MAX_CHARACTERS:,} characters; split it, or look at what it holds")
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{name}, line {line}: aliases (*{event.anchor}) are not taken; write the value out")
        depth += isinstance(event, _OPENING) - isinstance(event, _CLOSING)
        if depth > MAX_DEPTH:
            raise ConfigError(f"{name}, line {line}: nested too deeply to be one of leakwatch's files")


def _note_lines(node: Any, position: Position, lines: dict[Position, int], problems: list[str], name: str) -> None:
    lines[position] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            word = str(key.value)
            if word in seen:
                problems.append(f"{name}, line {key.start_mark.line + 1}: the key `{word}` is given twice")
            seen.add(word)
            _note_lines(value, (*position, word), lines, problems, name)
            lines[(*position, word)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*position, index), lines, problems, name)


def validate(model: type[Spec], document: Document) -> Spec:
    """Return `document` as a `model`.

    Raises:
        ConfigError: with one problem per fault, each naming file, line and key.
    """
    if not isinstance(document.data, dict):
        raise ConfigError(f"{document.name}: expected `key: value` lines at the top")
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError([_sentence(dict(fault), document, model) for fault in error.errors()]) from error


def nearest(word: str, known: list[str]) -> str:
    """Return ` (did you mean X?)`, or nothing where no known word is near."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""


def _sentence(fault: dict[str, Any], document: Document, model: type[BaseModel]) -> str:
    location = tuple(fault["loc"])
    position = _real_position(location, document)
    where = document.at(position)
    key = ".".join(str(part) for part in position)
    if fault["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        hint = nearest(str(location[-1]), known) or (f" (known: {', '.join(known)})" if known else "")
        return f"{where}: unknown key `{key}`{hint}"
    if fault["type"] == "missing":
        return f"{where}: `{'.'.join(map(str, location))}` is missing"
    message = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{where}: `{key}`: {message[0].lower()}{message[1:]}, got {fault['input']!r}"[:400]


def _real_position(location: Position, document: Document) -> Position:
    """Return `location` without the names that pydantic adds for the members of a union."""
    position: Position = ()
    for part in location:
        if (*position, part) in document.lines:
            position = (*position, part)
    return position


def _known_keys(model: type[BaseModel], location: Position) -> list[str]:
    """Return the keys that the model at `location` inside `model` knows."""
    schema = model.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema.get("$defs", {})
    nodes: list[dict[str, Any]] = [schema]

    def resolve(node: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in node:
            return resolve(definitions[node["$ref"].rsplit("/", 1)[-1]])
        for word in ("anyOf", "oneOf", "allOf"):
            if word in node:
                return [found for option in node[word] for found in resolve(option)]
        return [node]

    for part in location:
        following: list[dict[str, Any]] = []
        for node in (found for item in nodes for found in resolve(item)):
            if part in node.get("properties", {}):
                following.append(node["properties"][part])
            elif isinstance(node.get("additionalProperties"), dict):
                following.append(node["additionalProperties"])
            elif isinstance(part, int) and isinstance(node.get("items"), dict):
                following.append(node["items"])
        nodes = following or nodes
    return sorted({key for item in nodes for node in resolve(item) for key in node.get("properties", {})})
