"""Who is primary: election ids per role of one device, as the P4Runtime specification rules.

No input or output here: :class:`Arbiter` turns an update or a lost client into the list of
notices to send. See the specification, "Client Arbitration and Controller Replication".
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .errors import Code, StatusError, invalid
from .roles import RoleScope

Client = TypeVar("Client", bound=Hashable)

MAX_ELECTION_ID = (1 << 128) - 1


@dataclass(frozen=True)
class Notice(Generic[Client]):
    """An arbitration message for one client."""

    client: Client
    role: str
    election_id: int | None  # the highest ever seen of a primary; None: there was none yet
    status: Code


@dataclass(eq=False)
class Role(Generic[Client]):
    """The clients of one role and which of them is primary."""

    name: str
    scope: RoleScope = field(default_factory=RoleScope)
    clients: dict[Client, int | None] = field(default_factory=dict)  # -> its election id
    primary: Client | None = None
    highest: int | None = None  # of any election id accepted so far; it never sinks

    def check_invariant(self) -> None:
        """Raise AssertionError when the state contradicts itself."""
        ids = [value for value in self.clients.values() if value is not None]
        assert len(ids) == len(set(ids)), "two live clients with one election id"
        assert self.highest is None or all(value <= self.highest for value in ids)
        if self.primary is not None:
            assert self.clients[self.primary] == self.highest, "the primary has not the highest id"

    def notice_for(self, client: Client) -> Notice[Client]:
        """What ``client`` is to be told of the state as it is now."""
        if self.primary is None:
            status = Code.NOT_FOUND
        else:
            status = Code.OK if client is self.primary else Code.ALREADY_EXISTS
        return Notice(client, self.name, self.highest, status)

    def notify_all(self) -> list[Notice[Client]]:
        """A notice to each client, the primary last: backups hear of a change first."""
        clients = [client for client in self.clients if client is not self.primary]
        if self.primary is not None:
            clients.append(self.primary)
        return [self.notice_for(client) for client in clients]


class Arbiter(Generic[Client]):
    """The roles of one device. Not thread safe: the device's lock guards it."""

    def __init__(self, max_clients_per_role: int = 1024) -> None:
        self._max_clients = max_clients_per_role
        self._roles: dict[str, Role[Client]] = {"": Role("")}
        self._role_of: dict[Client, Role[Client]] = {}

    def role(self, name: str) -> Role[Client] | None:
        """The role of that name; the default role "" is always there."""
        return self._roles.get(name)

    def role_of(self, client: Client) -> Role[Client] | None:
        """The role a client has taken with its first update."""
        return self._role_of.get(client)

    def clients(self) -> list[Client]:
        """All live clients."""
        return list(self._role_of)

    def is_primary(self, client: Client) -> bool:
        """Whether this very client is the primary of its role."""
        role = self._role_of.get(client)
        return role is not None and role.primary is client

    def primaries(self) -> list[tuple[Client, Role[Client]]]:
        """The primary of each role that has one."""
        return [(role.primary, role) for role in self._roles.values() if role.primary is not None]

    def update(
        self, client: Client, role_name: str, scope: RoleScope | None, election_id: int | None
    ) -> list[Notice[Client]]:
        """A client's first or later MasterArbitrationUpdate; returns the notices to send.

        Raises StatusError when the stream is to be terminated; nothing has changed then.
        """
        known = self._role_of.get(client)
        if known is not None and known.name != role_name:
            raise StatusError(
                Code.FAILED_PRECONDITION,
                f"this stream's role is {known.name!r}; it can't change to {role_name!r}",
            )
        role = self._roles.get(role_name) or Role(role_name)
        if election_id is not None and any(
            value == election_id for other, value in role.clients.items() if other is not client
        ):
            # finsy and others recognise this by its words.
            raise invalid(f"election id {election_id} is used by another client of this role")
        if known is None and len(role.clients) >= self._max_clients:
            raise StatusError(
                Code.RESOURCE_EXHAUSTED, f"more than {self._max_clients} streams for one role"
            )
        for other in self._roles.values():
            if scope and other is not role and other.clients and scope.clashes_with(other.scope):
                raise invalid(f"role.config claims objects that the role {other.name!r} lists too")
        self._roles[role_name] = role
        self._role_of[client] = role
        role.clients[client] = election_id
        notices = self._elect(role, client, scope, election_id)
        role.check_invariant()
        return notices

    @staticmethod
    def _elect(
        role: Role[Client], client: Client, scope: RoleScope | None, election_id: int | None
    ) -> list[Notice[Client]]:
        if election_id is not None and (role.highest is None or election_id >= role.highest):
            changed = role.primary is not client or role.highest != election_id
            new_scope = scope or RoleScope()
            changed = changed or role.scope != new_scope
            role.primary, role.highest, role.scope = client, election_id, new_scope
            return role.notify_all() if changed else [role.notice_for(client)]
        if role.primary is client:  # it downgraded itself
            role.primary = None
            return role.notify_all()
        return [role.notice_for(client)]

    def disconnect(self, client: Client) -> list[Notice[Client]]:
        """A client's stream broke: nobody is promoted in its place."""
        role = self._role_of.pop(client, None)
        if role is None:
            return []
        del role.clients[client]
        if role.primary is not client:
            return []
        role.primary = None
        role.check_invariant()
        return role.notify_all()

    def writer(self, role_name: str, election_id: int | None) -> Role[Client]:
        """The role that a Write or a pipeline push acts in.

        NOT_FOUND: no such role; PERMISSION_DENIED: the election id is not the primary's.
        """
        role = self._roles.get(role_name)
        if role is None:
            raise StatusError(Code.NOT_FOUND, f"no client has taken the role {role_name!r}")
        if role.primary is None or role.highest != election_id:
            shown = "unset" if election_id is None else str(election_id)
            raise StatusError(
                Code.PERMISSION_DENIED,
                f"not primary: election id {shown}, "
                + ("there is no primary" if role.primary is None else f"primary's {role.highest}"),
            )
        return role
