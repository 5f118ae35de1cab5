"""The controller's intent in an SQLite file: written before it is pushed, read after a restart.

A change is written to a journal first (:meth:`Store.begin`), then pushed to the switches, then
made the truth (:meth:`Store.commit`) or forgotten (:meth:`Store.abort`). A journal that is found
when the store is opened belongs to a controller that died; its caller never heard that the change
was made, so it is taken back.

The file also allots the P4Runtime election ids ("epochs"): who becomes primary claims the next one,
and whoever held an earlier one can write neither here nor to a switch from then on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

from qplane.control.codec import DecodeError, decode, encode
from qplane.control.errors import ArbitrationError, StoreError
from qplane.control.intent import Base, Intent, Remembered, Standing
from qplane.control.links import LinkHoldings
from qplane.control.topology import Device
from qplane.net import Network

T = TypeVar("T")
_Row: TypeAlias = tuple[str, int, str | None]
"""Name, version and body of a circuit; body None: it is gone."""

SCHEMA_VERSION = 3  # 3: serial numbers of plans
APPLICATION_ID = 0x71706C6E  # "qpln"; says that an SQLite file is one of ours
BUSY_SECONDS = 5.0
"""How long to wait for another controller that is writing."""

_SCHEMA = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE device (node TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE circuit (
    name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE journal (
    name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT, PRIMARY KEY (name, version)
) STRICT;
"""


class Store:
    """The intent of one network. With `path` None it lives in memory, and dies with the process.

    Raises StoreError where the file is damaged, of another version, or of another network; it has
    not been touched then. The network may grow; circuits whose links are gone are an error.

    A new store gives plans the serial numbers from `first_serial` on: switches may hold what was
    agreed for serial numbers that an earlier store gave, so two stores should not begin alike.
    """

    def __init__(self, path: str | Path | None, network: Network, *, first_serial: int = 0) -> None:
        self.path = None if path is None else Path(path)
        self._network = network
        self._first_serial = first_serial
        self._epoch: int | None = None
        self._begun: tuple[Intent, Intent, list[_Row]] | None = None
        with self._errors():
            self._db = sqlite3.connect(
                ":memory:" if path is None else str(path),
                timeout=BUSY_SECONDS,
                isolation_level=None,
            )
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise

    def _open(self) -> None:
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if tables == 0 and application == 0 and version == 0:
            self._create()
            return
        if application != APPLICATION_ID:
            raise self._error("is an SQLite file, but not a store of qplane's")
        if version != SCHEMA_VERSION:
            raise self._error(
                f"has version {version}, this qplane reads version {SCHEMA_VERSION}; use the "
                "qplane that wrote it, or begin with a new file"
            )
        problems = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problems != "ok":
            raise self._error(f"is damaged: {problems}")
        stored = self._fact("network")
        if stored != self._network.name:
            raise self._error(f"belongs to the network {stored}, not to {self._network.name}")

    def _create(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        with self._transaction():
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables:  # another controller was faster, and checked as much
                return
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id={APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            self._set_fact("network", self._network.name)
            self._set_fact("epoch", "0")
            self._set_fact("base", str(int(Base.NOTHING)))
            self._set_fact("serial", str(self._first_serial))

    def close(self) -> None:
        self._db.close()

    # ---- who is primary ----

    def claim(self, at_least: int) -> int:
        """Become the one that writes: the next epoch, to be used as election id."""
        with self._errors(), self._transaction():
            epoch = max(int(self._fact("epoch")) + 1, at_least)
            self._set_fact("epoch", str(epoch))
        self._epoch = epoch
        return epoch

    # ---- reading ----

    def load(self) -> Remembered:
        """What stands in the file. Raises StoreError."""
        with self._errors():
            circuits = self._standings("SELECT name, version, body FROM circuit ORDER BY rowid")
            journal = self._standings("SELECT name, version, body FROM journal ORDER BY rowid")
            bodies = self._db.execute("SELECT node, body FROM device ORDER BY rowid").fetchall()
            devices = {node: self._decoded(Device, body, f"device {node}") for node, body in bodies}
            held = self._db.execute("SELECT value FROM fact WHERE name = 'links'").fetchone()
            links = LinkHoldings()
            if held is not None:
                links = self._decoded(LinkHoldings, held[0], "what the link layer holds")
            serial = int(self._fact("serial"))
            intent = Intent(Base(int(self._fact("base"))), circuits, links, serial)
        interrupted = tuple(
            standing for key, standing in journal.items() if circuits.get(key) != standing
        )
        return Remembered(intent, devices, interrupted)

    def _standings(self, query: str) -> dict[tuple[str, int], Standing]:
        return {
            (name, version): self._decoded(Standing, body, f"circuit {name}")
            for name, version, body in self._db.execute(query).fetchall()
            if body is not None
        }

    def _decoded(self, type_: type[T], body: str, what: str) -> T:
        try:
            return decode(type_, body, self._network)
        except DecodeError as error:
            raise self._error(f"is damaged: {what}: {error}") from error

    # ---- writing ----

    def begin(self, before: Intent, after: Intent) -> None:
        """Write down a change that is about to be pushed."""
        with self._errors(), self._writing():
            rows = [*_rows(before, after)]
            self._db.execute("DELETE FROM journal")
            self._db.executemany("INSERT INTO journal VALUES (?, ?, ?)", rows)
        self._begun = before, after, rows

    def commit(self, before: Intent, after: Intent) -> None:
        """The change is made."""
        if self._begun is not None and self._begun[0] is before and self._begun[1] is after:
            rows = self._begun[2]
        else:
            rows = [*_rows(before, after)]
        self._begun = None
        with self._errors(), self._writing():
            for name, version, body in rows:
                if body is None:
                    self._db.execute(
                        "DELETE FROM circuit WHERE name = ? AND version = ?", (name, version)
                    )
                else:
                    self._db.execute(
                        "INSERT INTO circuit VALUES (?, ?, ?) "
                        "ON CONFLICT DO UPDATE SET body = excluded.body",
                        (name, version, body),
                    )
            self._set_fact("base", str(int(after.base)))
            self._set_fact("serial", str(after.serial))
            if after.links != before.links:
                self._set_fact("links", encode(after.links))
            self._db.execute("DELETE FROM journal")

    def abort(self) -> None:
        """The change begun was taken back."""
        with self._errors(), self._writing():
            self._db.execute("DELETE FROM journal")

    def save_devices(self, devices: Mapping[str, Device]) -> None:
        """What the devices said of themselves."""
        with self._errors(), self._writing():
            self._db.execute("DELETE FROM device")
            rows = [(node, encode(device)) for node, device in devices.items()]
            self._db.executemany("INSERT INTO device VALUES (?, ?)", rows)

    # ---- SQLite ----

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction of the one that may write."""
        with self._transaction():
            epoch = int(self._fact("epoch"))
            if epoch != self._epoch:
                raise ArbitrationError(
                    f"another controller writes the store {self._shown()} (epoch {epoch}, ours "
                    f"{self._epoch or 'none'})"
                )
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _fact(self, name: str) -> str:
        row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise self._error(f"is damaged: it has no {name}")
        return str(row[0])

    def _set_fact(self, name: str, value: str) -> None:
        self._db.execute(
            "INSERT INTO fact VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (name, value),
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors in our words."""
        try:
            yield
        except sqlite3.OperationalError as error:  # can't be opened, locked, disk full
            raise self._error(f"can't be used: {error}") from error
        except (sqlite3.Error, ValueError) as error:
            raise self._error(f"is damaged: {error}") from error

    def _error(self, problem: str) -> StoreError:
        return StoreError(" ".join(f"the store {self._shown()} {problem}".split()))

    def _shown(self) -> str:
        return "in memory" if self.path is None else str(self.path)


def _rows(before: Intent, after: Intent) -> Iterator[_Row]:
    """What to do with which circuit; None: delete it."""
    for key, standing in after.circuits.items():
        if before.circuits.get(key) != standing:
            yield *key, encode(standing)
    for key in before.circuits.keys() - after.circuits.keys():
        yield *key, None
