"""YAML files read into msgspec Structs, with every mistake named by file, line and field."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import yaml

Key = str | int
Field = tuple[Key, ...]
T = TypeVar("T")

# More than any honest file holds, and little enough that nested aliases can't fill the memory.
MAX_NODES = 100_000
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class BadFile(Exception):  # noqa: N818  the word of the docs
    """A file that can't be used; the message is one line a mistake, `file:line: field: what is wrong`."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class _Loader(yaml.SafeLoader):
    """YAML as JSON has it: times stay strings."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class Document(msgspec.Struct, frozen=True):
    """A YAML file as plain data, and where each part of it stands."""

    file: str
    data: Any
    lines: dict[Field, int]  # 1-based

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Raises BadFile when it can't be read or is no YAML."""
        loader = None
        try:
            loader = _Loader(path.read_text(encoding="utf-8"))
            node = loader.get_single_node()
            if node is None:
                raise BadFile(f"{path}:1: the file is empty")
            builder = _Builder(loader, str(path))
            return cls(str(path), builder.build(node, ()), builder.lines)
        except OSError as error:
            raise BadFile(f"{path}: can't be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise BadFile(f"{path}: is not UTF-8 at byte {error.start}") from error
        except RecursionError as error:
            raise BadFile(f"{path}:1: nested too deep, or an alias contains itself") from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise BadFile(f"{path}:{mark.line + 1 if mark else 1}: not YAML: {error.problem}") from error
        except yaml.YAMLError as error:
            raise BadFile(f"{path}:1: not YAML: {error}") from error
        finally:
            if loader is not None:
                loader.dispose()

    def mistake(self, field: Field, what: str) -> str:
        """One line that says what is wrong with a field, and where it stands."""
        at = field
        while at not in self.lines:
            at = at[:-1]
        return f"{self.file}:{self.lines[at]}: {_spell(field)}{what}"

    def convert(self, kind: type[T]) -> T:
        """The data as a Struct. Raises BadFile with the first field that doesn't fit."""
        try:
            return msgspec.convert(self.data, kind)
        except msgspec.ValidationError as error:
            raise BadFile(self._explain(str(error))) from error

    def map(self, change: Callable[[str, Field], str]) -> Self:
        """The document with every text passed through a function: values, and keys that are no fields."""

        def changed(data: Any, field: Field) -> Any:
            if isinstance(data, dict):
                return {
                    change(name, (*field, name)) if "${" in name else name: changed(value, (*field, name))
                    for name, value in data.items()
                }
            if isinstance(data, list):
                return [changed(value, (*field, index)) for index, value in enumerate(data)]
            return change(data, field) if isinstance(data, str) else data

        return msgspec.structs.replace(self, data=changed(self.data, ()))

    def _explain(self, message: str) -> str:
        """Msgspec's message ends with a JSON path: ``Expected `str`, got `int` - at `$.attack[0].as` ``."""
        what, _, path = message.partition(" - at `$")
        field: Field = tuple(
            int(index) if index else name for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path.rstrip("`"))
        )
        unknown = re.match(r"Object contains unknown field `(.*)`", what)
        if unknown:
            return self.mistake((*field, unknown[1]), "unknown field")
        return self.mistake(field, what.replace("Object", "object", 1).replace("Expected", "expected", 1))


class _Builder:
    """Turns YAML nodes into data and remembers the line of each."""

    def __init__(self, loader: _Loader, file: str) -> None:
        self.lines: dict[Field, int] = {}
        self._loader = loader
        self._file = file

    def build(self, node: yaml.Node, field: Field) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(field, line)
        if len(self.lines) > MAX_NODES:
            raise BadFile(f"{self._file}:{line}: more than {MAX_NODES} values")
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*field, index)) for index, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return self._loader.construct_object(node)
        data: dict[str, Any] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode) or name.tag == "tag:yaml.org,2002:merge":
                raise BadFile(f"{self._file}:{line}: {_spell(field)}names of fields are plain words")
            here = (*field, name.value)
            if name.value in data:
                raise BadFile(f"{self._file}:{line}: {_spell(here)}given twice")
            self.lines[here] = line
            data[name.value] = self.build(value, here)
        return data


def _spell(field: Field) -> str:
    """("attack", 1, "at") as "attack[1].at: "."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in field).lstrip(".")
    return f"{text}: " if text else ""
