"""A whole quantum-classical network in virtual time: switches, channels, quantum links and devices,
hosts, faults, packet captures, and what was measured.

Times are int64 picoseconds (``_ps``) from 0 at construction. Bell indices: 0 Φ+, 1 Φ−, 2 Ψ+, 3 Ψ−.
Frames on the quantum port are those of docs/wire.md; the engine knows no other way into a device.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple, Protocol

from numpy.typing import NDArray

from qplane_cext.sim.external import ExternalSwitch
from qplane_cext.sim.heralding import Heralding
from qplane_cext.sim.pacing import Pacer
from qplane_cext.sim.photonic import Scheme
from qplane_cext.switch.core import SwitchCore

class PythonSwitch(Protocol):
    """A switch written in Python, for tests and experiments: slow, but anything goes."""

    def process(self, port: int, data: bytes, now_us: int) -> Iterable[tuple[int, bytes]]: ...

StopReason = Literal["until", "delivered", "cpu", "idle", "interrupted"]

class Faults(NamedTuple):
    """What a channel does to frames that carry QCI (both directions, each from its own stream).

    The first five are probabilities per frame; each is drawn on its own, so that one frame can be
    both delayed and corrupted. Extra delays are exponential with mean ``mean_delay_ps``.
    """

    loss: float = 0.0
    duplication: float = 0.0  # the copy follows after an extra delay
    reordering: float = 0.0  # an extra delay during which later frames overtake
    delay: float = 0.0  # an extra delay that keeps the order of the QCI frames
    corruption: float = 0.0  # 1 to max_flipped_bits random bits behind the Ethernet addresses
    mean_delay_ps: int = 1_000_000_000
    max_flipped_bits: int = 3
    all_traffic: bool = False  # classical frames as well

class Network:
    """Owns the clock, the random streams and every part of one simulated network.

    ``seed`` fixes everything random: one Philox stream per quantum link, per node and per channel
    direction, so that none depends on what the others draw. ``first_seq`` is every quantum link's
    first pair sequence number. ``sample_limit`` bounds the rows of ``deliveries()`` (and ten times
    as many hop rows); the accumulators of ``circuits()`` cover all pairs. With ``pcap_dir`` each
    switch port gets ``<node>-<port>.pcap`` there (nanoseconds of virtual time, link type Ethernet,
    USER0 for the CPU port because its frames begin with the controller header).

    Indices returned by ``add_*`` count from 0 in the order of the calls. Everything is added before
    the first ``run``. Bad values raise ValueError that names the argument.
    """

    def __init__(
        self,
        seed: int,
        *,
        first_seq: int = 0,
        sample_limit: int = 100_000,
        pcap_dir: str | None = None,
    ) -> None: ...
    @property
    def now_ps(self) -> int: ...
    @property
    def delivered(self) -> int:
        """Pairs delivered at both ends and not voided at either."""
    # ---- what there is ----
    def add_node(
        self,
        name: str,
        node_id: int,
        core: SwitchCore | PythonSwitch | ExternalSwitch,
        *,
        cpu_port: int = 510,
        quantum_port: int | None = None,
        on_cpu: Callable[[bytes], None] | None = None,
        switch_delay_ps: int = 1_000_000,
        slots: int = 0,
        t1_s: float = float("inf"),
        t2_s: float = float("inf"),
        swap_time_ps: int = 0,
        two_qubit_error: float = 0.0,
        one_qubit_error: float = 0.0,
        readout_error: float = 0.0,
        swap_success: float = 1.0,
        emitters: int = 0,
        move_time_ps: int = 0,
        move_error: float = 0.0,
        storage_t1_s: float | None = None,
        storage_t2_s: float | None = None,
    ) -> int:
        """A switch and, where quantum_port is given, a quantum device on it.

        ``on_cpu`` gets each packet that the switch emits on cpu_port (with its controller header),
        with the GIL, while the clock stands still. Errors are depolarising probabilities per gate,
        readout_error flips each measured bit. swap_success: probability that a Bell measurement
        gives an outcome at all. emitters: only that many slots, from 0, are entangled with photons
        (0: all); an order of the link layer whose slots lie beyond them moves each pair there, in
        move_time_ps and with depolarising probability move_error. A qubit that was moved has
        storage_t1_s and storage_t2_s (None: those of all slots)."""
    def add_channel(
        self,
        node_a: int,
        port_a: int,
        node_b: int,
        port_b: int,
        *,
        delay_ps: int,
        rate_bps: float = 1e10,
        faults: Faults | None = None,
    ) -> int:
        """A classical duplex link: serialisation then propagation, frames with QCI first."""
    def add_quantum_link(
        self,
        node_a: int,
        link_a: int,
        node_b: int,
        link_b: int,
        *,
        length_km: float,
        station_fraction: float = 0.5,
        attenuation_db_per_km: float = 0.2,
        speed_m_per_s: float = 2e8,
        emission_efficiency: float | tuple[float, float] = 1.0,
        detector_efficiency: float = 1.0,
        dark_count_probability: float = 0.0,
        visibility: float = 1.0,
        emission_ps: int = 0,
        attempt_ps: int | None = None,
        aligned: bool = False,
        scheme: Scheme = "double-click",
        bright_state: float | tuple[float, float] = 0.1,
        balanced: bool = False,
        phase_std_rad: float = 0.0,
        number_resolving: bool = False,
        pair_probability: float = 1.0,
        double_excitation: float | tuple[float, float] = 0.0,
        preparation_error: float | tuple[float, float] = 0.0,
    ) -> int:
        """A heralded link, its station (or source) at station_fraction of the fibre from node_a.

        link_a and link_b are the devices' own link numbers (0 to 254). attempt_ps defaults to, and
        must not be below, emission plus the round trip between station and farther node.
        dark_count_probability is per detector and detection window. The others: see
        photonic.FibreLink."""
    def add_station(
        self,
        link: int,
        node: int,
        number: int,
        *,
        ports: tuple[int, int],
        cycle_ps: int | None = None,
        margin_ps: int = 1_000_000,
        every_attempt: bool = False,
    ) -> Heralding:
        """The MHP on a quantum link, with its heralding station on a node's quantum port.

        ``number`` is the station's own for the link (0 to 31), ``ports`` are those of either end
        whose channels lead to the station. A K attempt lasts until REPLY is back in both devices
        and margin_ps more, or attempt_ps if that is longer; without cycle_ps that is a cycle.
        every_attempt: GEN and REPLY are sent for attempts that fail, too (docs/mhp.md)."""
    def add_host(
        self,
        name: str,
        node: int,
        port: int,
        *,
        mac: str,
        ip: str,
        gateway_ip: str | None = None,
        prefix_length: int = 24,
        delay_ps: int = 1_000_000,
        rate_bps: float = 1e9,
    ) -> int:
        """A classical host: answers ARP and ICMP echo; resolves the gateway for other subnets."""
    def add_ping(
        self,
        host: int,
        destination_ip: str,
        *,
        interval_ps: int,
        count: int | None = None,
        start_ps: int = 0,
        payload_bytes: int = 56,
        timeout_ps: int = 1_000_000_000_000,
    ) -> int:
        """ICMP echo requests; count None: until stop_pings(). start_ps is from the current time."""
    def stop_pings(self) -> None:
        """Send no further requests; those under way are still answered or time out."""
    # ---- running ----
    def inject(self, node: int, port: int, data: bytes) -> None:
        """Let a frame enter the node's switch at ``port`` at the current virtual time. Thread safe.

        What is injected while the clock stands still is taken in order of node, then of call."""
    def interrupt(self) -> None:
        """Make the run under way (or the next one) return "interrupted". Thread safe."""
    def cut_channel(self, channel: int, cut: bool = True) -> None:
        """From now on, lose every frame that is sent over a channel; or, with `cut` false, none
        for that reason. What is under way arrives."""
    def lose_frame(self, channel: int, side: int, number: int) -> None:
        """Lose one QCI frame: the ``number``th from now on (1: the next; 0: none after all) that is
        sent over a channel by its first (``side`` 0) or second end."""
    def lose_qci(self, place: int) -> None:
        """Lose one frame with QCI: the `place`-th of those sent from now on, over any channel (1:
        the next). For tests that lose each message once."""
    def run(
        self,
        *,
        until_ps: int | None = None,
        deliveries: int | None = None,
        stop_on_cpu: bool = True,
        on_progress: Callable[[], None] | None = None,
    ) -> StopReason:
        """Run events in order of time; say why it stopped.

        "until": the next event lies after until_ps, the clock stands at until_ps; "delivered":
        ``delivered`` reached ``deliveries``; "cpu": on_cpu was called, for all packets of one
        instant (unless not stop_on_cpu);
        "idle": no event is left, the clock stands at until_ps if that is given; "interrupted":
        ``interrupt`` or KeyboardInterrupt (main thread).
        on_progress is called about ten times a second of real time. Runs without the GIL.
        Raises what on_cpu or on_progress raise, and OSError when a capture can't be written; the
        network stays usable."""
    def run_paced(self, pacer: Pacer) -> Literal["woken", "cpu"]:
        """Run by the wall clock, until ``pacer.wake`` is called or on_cpu was ("cpu").

        Call again to go on: what was due meanwhile is made up for, at its own time. What was
        injected before the call arrives at the beginning of it. Runs without the GIL; raises as
        ``run`` does. Ctrl-C does not end it; captures are flushed by ``close``."""
    def waiting(self) -> list[str]:
        """What is outstanding, one line each: active requests, qubits in slots, unconfirmed
        expiries, deliveries at one end alone, pings unanswered."""
    def close(self) -> None:
        """Flush and close the captures (also done when the object dies)."""
    # ---- results ----
    def deliveries(self) -> dict[str, NDArray[Any]]:
        """The first delivered pairs, one array per column.

        head_*/tail_* with node (index), link, label, seq, frame (Bell index computed there), basis
        (0 Z, 1 X), bit, delivered_ps; the tail is the end whose DELIVER said CORRECT. Then
        truth_frame, wrong_frame (an end's frame differs from the truth), mismatch (the halves were
        not those that DELIVER named, or the bases differ), fidelity (to Φ+, each half at its own
        delivery), emitted_ps (of the oldest half), hop_start and hop_count (rows in hops())."""
    def hops(self) -> dict[str, NDArray[Any]]:
        """Link pairs of the pairs in deliveries(), from head to tail: link (index), seq, bell
        (heralded), head_stored_ps and tail_stored_ps (from the half's emission to its swap or
        delivery), outcome and actual (reported and true Bell index of the swap on the tail side of
        this hop; 255 after the last), swap_node (index of the node of that swap; -1), rounds (of
        distillation of the link's pair; it is Φ+ then, whatever was heralded)."""
    def circuits(self) -> list[dict[str, Any]]:
        """Accumulated over all delivered pairs, one dict per pair of circuit ends.

        head_node, head_link, head_label, tail_node, tail_link, tail_label; count, wrong_frames,
        mismatches; fidelity, latency_ps, interval_ps (each a dict: count, mean, std, min, max);
        z_count, z_errors, x_count, x_errors (pairs measured in that basis at both ends, and those
        whose bits differ; for Φ+ none should); first_ps, last_ps; fidelity_histogram (1000 bins
        over [0, 1]); latency_quantiles (callable: q in [0, 1] -> ps, to within 0.5 %). Latency is
        from the oldest half's emission to the later delivery, interval from one such delivery to
        the next."""
    def counters(self) -> dict[str, int]:
        """Sums over the network.

        delivered; one_sided (delivered at one end, lost at the other, no VOID yet: 0 once drained);
        voids; void_mismatches and voids_after_complete (voided at one end, delivered at the other:
        errors of the protocol); attempts, heralds; slots_in_use and entangled_link_pairs (now);
        events; all of node_counters(); channel_counters() with a prefix channel_; the hosts'
        counters."""
    def node_counters(self, node: int) -> dict[str, int]:
        """frames_in, frames_out, frames_to_nowhere, frames_to_cpu; and of the device: unconfirmed
        (expiries that are repeated now), pairs, swaps,
        swaps_without_outcome, delivers (measures and early_delivers of these), confirms (of early
        deliveries), completed, teleported, teleports_failed (no outcome), teleports_confirmed,
        corrections, releases, releases_announced, device_voids, expired (by
        cut-off), expired_repeated, expires_confirmed; commands that named no qubit in memory
        (stale_swaps, stale_delivers, stale_releases, stale_confirms, unknown_confirms,
        unknown_corrections, unknown_voids) or one already
        dealt with (repeated_swaps, voids_after_complete); frames refused (device_bad_ethernet,
        device_bad_version, device_bad_type, device_bad_length)."""
    def link_counters(self, link: int) -> dict[str, Any]:
        """attempts, heralds, times_held_back (no record was free); success_probability, fidelity,
        attempt_ps, delay_ps as calibrated."""
    def mhp_counters(self, link: int) -> dict[str, int]:
        """Of a link with a station, over both ends.

        attempts (on which the ends agreed, sent or not), alone (on which they did not), heralds (in
        the detectors); gens, replies; stale_replies (of attempts that nobody waits for), pairs,
        measured, errors, timeouts (REPLYs that did not come in time), false_heralds (a success
        reported where there was no pair: 0)."""
    def link_pairs(self) -> list[dict[str, Any]]:
        """The link layer's pairs with a half in memory, as they truly are: for tests and metrics.

        link (index), seq (0 until a REPLY came), bell (heralded); halves: for either end node
        (index), link (number there), slot ((slot, generation), or None where it is gone),
        emitted_ps; fidelities: to the four Bell states now, None where one half is gone."""
    def channel_counters(self, channel: int) -> dict[str, int]:
        """Both directions: frames, bytes, qci, lost, duplicated, reordered, delayed, corrupted,
        overflowed."""
    def pings(self) -> list[dict[str, Any]]:
        """Per flow: host, destination_ip, sent, received, timed_out, outstanding, rtt_ps (as
        fidelity in circuits()), rtt_sample_ps (array, the first 10,000)."""
