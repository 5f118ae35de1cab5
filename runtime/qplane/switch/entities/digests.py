"""``DigestEntry``: which digests are sent, and how they are batched. Sending is in ..digests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from finsy.proto import p4r

from ..errors import Code, StatusError, invalid, not_found
from ..p4info import Digest, P4InfoIndex
from .base import DELETE, INSERT, Journal, Kind, MayRead

Configure = Callable[[Digest, "p4r.DigestEntry.Config | None"], None]


class DigestStore:
    """The digests that are switched on; ``configure`` is told of every change (None: off)."""

    def __init__(self, index: P4InfoIndex, configure: Configure) -> None:
        self._index = index
        self._configure = configure
        self._configs: dict[int, p4r.DigestEntry.Config] = {}

    def p4_id(self, message: p4r.DigestEntry) -> int:
        """The digest's id."""
        return message.digest_id

    def write(self, kind: Kind, message: p4r.DigestEntry, journal: Journal) -> None:
        """INSERT switches a digest on, MODIFY changes its batching, DELETE switches it off."""
        digest = self._index.digest(message.digest_id)
        what = f"digest {digest.name!r}"
        config = None
        if kind != DELETE:
            config = p4r.DigestEntry.Config()
            config.CopyFrom(message.config)
            if min(config.max_timeout_ns, config.max_list_size, config.ack_timeout_ns) < 0:
                raise invalid(f"{what}: time-outs and list size can't be negative")
        before = self._configs.get(digest.id)
        if kind == INSERT and before is not None:
            raise StatusError(Code.ALREADY_EXISTS, f"{what} is switched on already")
        if kind != INSERT and before is None:
            raise not_found(f"{what} is not switched on")
        self._set(digest, config)
        journal.append(lambda: self._set(digest, before))

    def _set(self, digest: Digest, config: p4r.DigestEntry.Config | None) -> None:
        if config is None:
            self._configs.pop(digest.id, None)
        else:
            self._configs[digest.id] = config
        self._configure(digest, config)

    def read(self, query: p4r.DigestEntry, may_read: MayRead) -> Iterator[p4r.Entity]:
        """One digest's configuration or all; a digest that is off has none."""
        if query.digest_id:
            self._index.digest(query.digest_id)
        for digest_id, config in self._configs.items():
            if query.digest_id in (0, digest_id) and may_read(digest_id):
                entity = p4r.Entity()
                entity.digest_entry.digest_id = digest_id
                entity.digest_entry.config.CopyFrom(config)
                yield entity
