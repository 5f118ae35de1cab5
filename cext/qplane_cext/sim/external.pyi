"""A switch that is not in this process: each of its ports is a packet socket."""

from collections.abc import Mapping

class ExternalSwitch:
    """The ``core`` of a node whose switch is another process, such as BMv2.

    ``sockets``: AF_PACKET sockets by port, as file descriptors: what is sent there goes into the
    switch, what is received comes out of it. The caller keeps them open and sets PACKET_AUXDATA and
    PACKET_IGNORE_OUTGOING. Used with ``Network.run_paced`` alone; call from its thread.
    """

    def __init__(self, sockets: Mapping[int, int]) -> None: ...
    def transit(self, *, recent: bool = False) -> dict[str, float]:
        """How long the switch took from the last frame in to the next out that answers one from the
        engine (a command to the device, MPLS, GEN or REPLY): count, mean_ns, p50_ns, p99_ns (to
        within 5 %), max_ns. With ``recent``, since the last such call."""
    def counters(self) -> dict[str, int]:
        """frames_in (to the switch), frames_out, frames_lost (the kernel did not take them)."""
