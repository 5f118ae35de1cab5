"""Forwarding-pipeline configurations: decoded, checked, and only then made effective."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

from finsy.proto import p4r

from qplane_cext.switch.core import Pipeline, PipelineError

from .errors import invalid
from .p4info import P4InfoIndex
from .p4info_index import index_p4info

ResponseType = p4r.GetForwardingPipelineConfigRequest


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration that this target can realise."""

    message: p4r.ForwardingPipelineConfig  # as the client gave it
    index: P4InfoIndex

    @property
    def pipeline(self) -> Pipeline:
        """The compiled program."""
        return self.index.pipeline

    def response(self, kind: ResponseType.ResponseType.ValueType) -> p4r.ForwardingPipelineConfig:
        """The parts of it that a Get asks for."""
        message = p4r.ForwardingPipelineConfig()
        message.CopyFrom(self.message)
        if kind in (ResponseType.COOKIE_ONLY, ResponseType.DEVICE_CONFIG_AND_COOKIE):
            message.ClearField("p4info")
        if kind in (ResponseType.COOKIE_ONLY, ResponseType.P4INFO_AND_COOKIE):
            message.ClearField("p4_device_config")
        return message


def load_config(message: p4r.ForwardingPipelineConfig) -> LoadedConfig:
    """Verify a configuration. INVALID_ARGUMENT with the reason when it can't be realised."""
    if not message.HasField("p4info"):
        raise invalid("the configuration has no P4Info")
    return _cache.get(message)


def device_json(config: bytes) -> bytes:
    """The BMv2 JSON in a device config: as it is, or in the wrapper that the P4 tutorials use.

    The wrapper is the old ``p4.tmp.P4DeviceConfig``: field 3 holds the JSON.
    """
    if not config:
        raise invalid("the device config is empty; a BMv2 JSON is needed")
    if config.lstrip()[:1] == b"{":
        return config
    try:
        return _wrapped_json(config)
    except (IndexError, ValueError) as error:
        raise invalid("the device config is not a BMv2 JSON") from error


def _wrapped_json(data: bytes) -> bytes:
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(data):
        tag = varint()
        if tag >> 3 == 0:
            raise ValueError("no field number")
        if tag & 7 == 0:
            varint()
        elif tag & 7 == 2:
            length = varint()
            if at + length > len(data):
                raise ValueError("truncated")
            if tag >> 3 == 3:
                return data[at : at + length]
            at += length
        else:
            raise ValueError("unexpected wire type")
    raise ValueError("no device data")


_Content: TypeAlias = tuple[int | None, bytes, bytes]


class _Cache:
    """Configurations by content: a network of a thousand equal switches compiles and keeps one.

    Few are kept, and each is told from another at its first bytes or its length: comparing takes
    less time than a digest of a megabyte.
    """

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._compiling = threading.Lock()  # of equal ones that come together, one is compiled
        self._known: deque[tuple[_Content, LoadedConfig]] = deque(maxlen=size)  # latest use first

    def get(self, message: p4r.ForwardingPipelineConfig) -> LoadedConfig:
        config = message.p4_device_config
        content = (
            message.cookie.cookie if message.HasField("cookie") else None,
            message.p4info.SerializeToString(deterministic=True),
            config,
        )
        found = self._find(content)
        if found is not None:
            return found
        with self._compiling:
            found = self._find(content)
            if found is None:
                found = self._compile(message, device_json(config))
                with self._lock:
                    if len(self._known) == self._known.maxlen:
                        self._known.pop()
                    self._known.appendleft((content, found))
            return found

    def _find(self, content: _Content) -> LoadedConfig | None:
        with self._lock:
            for known in self._known:
                if known[0] == content:
                    self._known.remove(known)
                    self._known.appendleft(known)
                    return known[1]
        return None

    @staticmethod
    def _compile(message: p4r.ForwardingPipelineConfig, json: bytes) -> LoadedConfig:
        try:
            pipeline = Pipeline(json)
        except PipelineError as error:
            raise invalid(f"the device config can't be realised: {error}") from error
        kept = p4r.ForwardingPipelineConfig()
        kept.CopyFrom(message)
        return LoadedConfig(kept, index_p4info(kept.p4info, pipeline))


_cache = _Cache(16)
