"""What a role may do: Stratum's ``P4RoleConfig``, the one scheme in the field.

The P4Runtime specification leaves the format of ``role.config`` open. An unset configuration
is full access; any other message type is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from finsy.proto import p4r, stratum

from .bytestrings import encode
from .errors import invalid


@dataclass(frozen=True)
class RoleScope:
    """The rights of a role; ``config`` is the message as the client sent it (None: unset)."""

    config: bytes | None = None  # a serialized google.protobuf.Any
    listed: frozenset[int] | None = None  # P4Info ids that it may read and write; None: all
    exclusive: frozenset[int] = frozenset()  # of these, the ones no other role may list
    receives_packet_ins: bool = True
    packet_in_filter: tuple[int, bytes] | None = None  # metadata id, canonical value
    can_push_pipeline: bool = True

    def allows(self, p4_id: int) -> bool:
        """Whether entities of this P4 object are in the role's scope.

        The replication engine has no P4Info id: 0 stands for it, which only full access covers.
        """
        return self.listed is None or p4_id in self.listed

    def clashes_with(self, other: RoleScope) -> bool:
        """Whether one of the two claims an object for itself that the other lists."""
        return bool(
            self.exclusive & (other.listed or frozenset())
            or other.exclusive & (self.listed or frozenset())
        )


def parse_scope(role: p4r.Role) -> RoleScope | None:
    """The scope in an arbitration message; None when it gives none (full access).

    INVALID_ARGUMENT when it is not a ``stratum.P4RoleConfig``.
    """
    if not role.HasField("config"):
        return None
    config = stratum.P4RoleConfig()
    try:
        matches = role.config.Unpack(config)
    except Exception as error:  # protobuf's DecodeError has no public base of its own
        raise invalid(f"role.config can't be decoded: {error}") from error
    if not matches:
        raise invalid(
            f"role.config is a {role.config.TypeName() or 'message without type'}; "
            "this server knows stratum.P4RoleConfig"
        )
    exclusive = frozenset(config.exclusive_p4_ids)
    listed = exclusive | frozenset(config.shared_p4_ids)
    packet_filter = None
    if config.HasField("packet_in_filter"):
        wanted = config.packet_in_filter
        packet_filter = (wanted.metadata_id, encode(wanted.value))
    return RoleScope(
        config=role.config.SerializeToString(deterministic=True),
        listed=listed,
        exclusive=exclusive,
        receives_packet_ins=config.receives_packet_ins,
        packet_in_filter=packet_filter,
        can_push_pipeline=config.can_push_pipeline,
    )
