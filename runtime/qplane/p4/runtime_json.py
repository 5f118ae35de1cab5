"""The files that P4 tutorials describe a switch's state in: ``s1-runtime.json``.

    {"target": "bmv2", "p4info": "build/basic.p4.p4info.txtpb", "bmv2_json": "build/basic.json",
     "table_entries": [{"table": "MyIngress.ipv4_lpm",
                        "match": {"hdr.ipv4.dstAddr": ["10.0.1.1", 32]},
                        "action_name": "MyIngress.ipv4_forward",
                        "action_params": {"dstAddr": "08:00:00:00:01:11", "port": 1}}],
     "multicast_group_entries": [{"multicast_group_id": 1, "replicas": [{"egress_port": 1,
                                                                         "instance": 1}]}],
     "clone_session_entries": [{"clone_session_id": 100, "replicas": [{"egress_port": 3}]}]}

An LPM value is [value, prefix length], a ternary one [value, mask], a range [low, high].
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import finsy as fy

_KEYS = frozenset(
    {
        "target", "p4info", "bmv2_json", "table_entries", "multicast_group_entries",
        "clone_session_entries",
    }
)  # fmt: skip


class RuntimeFileError(ValueError):
    """The file is not what it should be; the message names the file and the place in it."""


@dataclass(frozen=True)
class RuntimeFile:
    """What a file says: where the program is, and entities to insert (or set as default)."""

    path: Path
    p4info: Path
    json: Path
    entities: tuple[Any, ...]


def is_runtime_file(content: Any) -> bool:
    """Whether parsed JSON is such a file, and not a compiled program."""
    return isinstance(content, dict) and "bmv2_json" in content


def read(path: Path) -> RuntimeFile:
    """Read a file. Raises RuntimeFileError, and OSError when there is none."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise RuntimeFileError(f"{path}: not JSON: {error}") from error
    reader = _Reader(path)
    if not isinstance(content, dict) or not is_runtime_file(content):
        raise reader.error("", 'wanted an object with "p4info" and "bmv2_json"')
    for key in content:
        if key not in _KEYS:
            raise reader.error(key, f"not known; known are {', '.join(sorted(_KEYS))}")
    if content.get("target", "bmv2") != "bmv2":
        raise reader.error("target", f"{content['target']!r}: only bmv2 is offered")
    entities = (
        *reader.each(content, "multicast_group_entries", reader.group),
        *reader.each(content, "clone_session_entries", reader.session),
        *reader.each(content, "table_entries", reader.entry),
    )
    return RuntimeFile(
        path, reader.file(content, "p4info"), reader.file(content, "bmv2_json"), entities
    )


class _Reader:
    """Reads parts of one file, and says where in it something is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def error(self, place: str, problem: str) -> RuntimeFileError:
        return RuntimeFileError(f"{self._path}: {place}{': ' if place else ''}{problem}")

    def file(self, content: Mapping[str, Any], key: str) -> Path:
        """A file: relative to the working folder (as in the tutorials), to this file, or above."""
        name = self.value(content, key, str, "")
        folders = (Path(), self._path.parent, self._path.parent.parent)
        for folder in folders:
            if (folder / name).is_file():
                return folder / str(name)
        raise self.error(key, f"no file {name} in {', '.join(str(f.absolute()) for f in folders)}")

    def value(self, content: Any, key: str, kind: type | tuple[type, ...], place: str) -> Any:
        where = f"{place}.{key}" if place else key
        if not isinstance(content, dict):
            raise self.error(place, f"wanted an object, got {content!r}")
        if key not in content:
            raise self.error(where, "is missing")
        value = content[key]
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
            wanted = {str: "text", int: "a number", dict: "an object", list: "a list"}
            name = (
                wanted.get(kind, "true or false") if isinstance(kind, type) else "a number or text"
            )
            raise self.error(where, f"wanted {name}, got {value!r}")
        return value

    def each(self, content: Mapping[str, Any], key: str, make: Any) -> Iterator[Any]:
        if key in content:
            for number, item in enumerate(self.value(content, key, list, "")):
                yield make(item, f"{key}[{number}]")

    def entry(self, item: Any, place: str) -> fy.P4TableEntry:
        table = self.value(item, "table", str, place)
        action = self.value(item, "action_name", str, place)
        params = self.value({"action_params": {}, **item}, "action_params", dict, place)
        match = self.value({"match": {}, **item}, "match", dict, place)
        priority = self.value({"priority": 0, **item}, "priority", int, place)
        default = self.value({"default_action": False, **item}, "default_action", bool, place)
        return fy.P4TableEntry(
            table,
            match=fy.P4TableMatch({field: _match(value) for field, value in match.items()}),
            action=fy.P4TableAction(
                action, **{name: _one(value) for name, value in params.items()}
            ),
            priority=priority,
            is_default_action=default,
        )

    def group(self, item: Any, place: str) -> fy.P4MulticastGroupEntry:
        number = self.value(item, "multicast_group_id", int, place)
        return fy.P4MulticastGroupEntry(number, replicas=self._replicas(item, place))

    def session(self, item: Any, place: str) -> fy.P4CloneSessionEntry:
        number = self.value(item, "clone_session_id", int, place)
        length = self.value({"packet_length_bytes": 0, **item}, "packet_length_bytes", int, place)
        return fy.P4CloneSessionEntry(
            number, replicas=self._replicas(item, place), packet_length_bytes=length
        )

    def _replicas(self, item: Any, place: str) -> list[tuple[int, int]]:
        replicas = []
        for number, replica in enumerate(self.value(item, "replicas", list, place)):
            where = f"{place}.replicas[{number}]"
            port = self.value(replica, "egress_port", int, where)
            replicas.append((port, self.value({"instance": 0, **replica}, "instance", int, where)))
        return replicas


def _one(value: Any) -> Any:
    """The tutorials also write a single value as a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _match(value: Any) -> Any:
    value = _one(value)
    return tuple(value) if isinstance(value, list) else value
