"""The sections of a network file, one class each: which keys there are, their units and limits.

What one section alone can tell is checked here; what needs several (does the node exist, is there
a path) is checked in :mod:`qplane.net.build`.
"""

from __future__ import annotations

import ipaddress
import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from qplane.net import units
from qplane.net.names import checked_name

if TYPE_CHECKING:
    from qplane_cext.sim.photonic import FibreLink


def _time_ps(value: object) -> int:
    picoseconds = round(units.TIME.parse(value))
    if picoseconds == 0:
        raise units.UnitError("shorter than a picosecond, the resolution of the clock")
    if picoseconds >= 1 << 62:
        raise units.UnitError("too long for a 64-bit clock in picoseconds (53 days is the limit)")
    return picoseconds


def _time_or_zero_ps(value: object) -> int:
    return round(units.TIME.parse(value, zero=True)) and _time_ps(value)


def _length_m(value: object) -> float:
    metres = units.LENGTH.parse(value)
    if metres >= 1 << 32:
        raise units.UnitError("too long: quantum devices tell a length in metres, in 32 bits")
    return metres


def _ipv4(value: object) -> str:
    try:
        address = ipaddress.IPv4Address(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError('an IPv4 address is wanted, like "10.0.0.1"') from error
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        raise ValueError('no host can have this address; one like "10.0.0.1" is wanted')
    if address == ipaddress.IPv4Address("255.255.255.255"):
        raise ValueError('the broadcast address is no host\'s; one like "10.0.0.1" is wanted')
    return str(address)


def _ip_address(value: object) -> str:
    try:
        address = ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError(
            'an IPv4 or IPv6 address is wanted, like "192.0.2.1" or "2001:db8::1"'
        ) from error
    if address.is_multicast or address.is_unspecified or address.is_loopback or address.is_reserved:
        raise ValueError('no node can have this address; one like "192.0.2.1" is wanted')
    return str(address)


def _tunnel_ends(value: list[str]) -> list[str]:
    a, b = map(ipaddress.ip_address, value)
    if a == b:
        raise ValueError(f"both are {a}; the two nodes have different addresses")
    if a.version != b.version:
        raise ValueError(f"{a} and {b} don't go together; both are IPv4, or both IPv6")
    return value


def _bytes(value: object) -> int:
    amount = units.DATA.parse(value)
    if amount < 1:
        raise units.UnitError("less than a byte")
    return round(amount)


def _of_both_ends(value: object) -> tuple[float, float]:
    """One probability for both ends of a link, or a list of two, as in `between`."""
    if not isinstance(value, list):
        value = [value, value]
    if len(value) != 2:
        raise ValueError("one number is wanted, or two: for the ends as they are in between")
    return units.probability(value[0]), units.probability(value[1])


def _slot_range(value: object) -> tuple[int, int]:
    match = re.fullmatch(r"\s*([0-9]{1,5})\s*(?:-\s*([0-9]{1,5})\s*)?", str(value))
    if not isinstance(value, str) or match is None:
        raise ValueError('a range of memory slots is wanted, like "0-3" or "2"')
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise ValueError(f"the range runs backwards; {last}-{first} would be one")
    return first, last


def _slot_ranges(value: object) -> object:
    """A range for all nodes stands for one without a node's name."""
    return {"": value} if not isinstance(value, dict) else value


def _fidelity(value: object) -> float:
    try:
        fidelity = units.probability(value)
    except units.UnitError as error:
        raise ValueError("a fidelity is wanted: a number like 0.9, or percent") from error
    if not 0.25 < fidelity < 1:
        raise ValueError("a fidelity that can be asked for lies between 0.25 and 1")
    return fidelity


def _herald(value: str | bool | None) -> str | bool | None:
    return checked_name(value) if isinstance(value, str) else value or None


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError("a power of two is wanted (1, 2, 4, 8, ...)")
    return value


Name = Annotated[str, AfterValidator(checked_name)]
PowerOfTwo = Annotated[
    int, AfterValidator(_power_of_two), Field(ge=1, le=1 << 23)
]  # 24-bit numbers
Metres = Annotated[float, BeforeValidator(_length_m)]
Picoseconds = Annotated[int, BeforeValidator(_time_ps)]
PicosecondsOrZero = Annotated[int, BeforeValidator(_time_or_zero_ps)]
DecibelsPerKm = Annotated[
    float, BeforeValidator(lambda value: units.ATTENUATION.parse(value, zero=True))
]
RadiansOrZero = Annotated[float, BeforeValidator(lambda value: units.ANGLE.parse(value, zero=True))]
HertzOrZero = Annotated[
    float, BeforeValidator(lambda value: units.FREQUENCY.parse(value, zero=True))
]
Hertz = Annotated[float, BeforeValidator(units.FREQUENCY.parse)]
BitsPerSecond = Annotated[float, BeforeValidator(units.BANDWIDTH.parse)]
MessagesPerSecond = Annotated[float, BeforeValidator(units.MESSAGE_RATE.parse)]
DataPerSecond = Annotated[float, BeforeValidator(units.DATA_RATE.parse)]
Bytes = Annotated[int, BeforeValidator(_bytes)]
SlotRange = Annotated[tuple[int, int], BeforeValidator(_slot_range)]
Probability = Annotated[float, BeforeValidator(units.probability)]
ProbabilityOfEnds = Annotated[tuple[float, float], BeforeValidator(_of_both_ends)]
Fidelity = Annotated[float, BeforeValidator(_fidelity)]
IPv4 = Annotated[str, BeforeValidator(_ipv4)]
TunnelEnds = Annotated[
    list[Annotated[str, BeforeValidator(_ip_address)]],
    Field(min_length=2, max_length=2),
    AfterValidator(_tunnel_ends),
]


class Section(BaseModel):
    """A table of the file: immutable, no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class General(Section):
    """[network]"""

    name: Name
    seed: int = Field(default=1, ge=0, lt=1 << 64)
    switch_allowance: Picoseconds = 1_000_000_000  # of a message of the link layer, 1 ms


class Memory(Section):
    """[memories.NAME]: the quantum memory and gates of the nodes that name it."""

    slots: int = Field(ge=1, le=65535)
    t1: Picoseconds | None = None  # None: no relaxation
    t2: Picoseconds | None = None  # None: no dephasing beyond that of T1
    swap_time: PicosecondsOrZero = 0
    swap_success: Probability = 1.0
    two_qubit_gate_error: Probability = 0.0
    one_qubit_gate_error: Probability = 0.0
    readout_error: Probability = 0.0
    emitters: int | None = Field(default=None, ge=1)  # slots that photons come from; None: all
    move_time: PicosecondsOrZero = 0  # from an emitter to one of the other slots
    move_error: Probability = 0.0
    storage_t1: Picoseconds | None = None  # of a qubit that was moved; None: as of the others
    storage_t2: Picoseconds | None = None

    @model_validator(mode="after")
    def _storage(self) -> Memory:
        if self.emitters is None and (
            self.move_time or self.move_error or self.storage_t1 or self.storage_t2
        ):
            raise ValueError(
                "move_time, move_error, storage_t1 and storage_t2 need emitters, the slots that "
                "are moved from"
            )
        if self.emitters is not None and self.emitters >= self.slots:
            raise ValueError(
                "of the slots at least one is no emitter; leave emitters out otherwise"
            )
        return self

    @model_validator(mode="after")
    def _coherent(self) -> Memory:
        if self.t1 is not None and self.t2 is not None and self.t2 > 2 * self.t1:
            raise ValueError("t2 is longer than 2·t1, which no qubit can have")
        if self.storage_t1_ps and self.storage_t2_ps > 2 * self.storage_t1_ps:
            raise ValueError("storage_t2 is longer than 2·storage_t1, which no qubit can have")
        return self

    @property
    def storage_t1_ps(self) -> int:
        """Relaxation time of a qubit that was moved; 0: infinite."""
        return self.storage_t1 or self.t1_ps

    @property
    def storage_t2_ps(self) -> int:
        """Its coherence time, 2·T1 where only that is given; 0: infinite."""
        if self.storage_t2 is None and self.storage_t1 is not None:
            return 2 * self.storage_t1
        return self.storage_t2 or self.t2_ps

    @property
    def t1_ps(self) -> int:
        """Relaxation time; 0: infinite."""
        return self.t1 or 0

    @property
    def t2_ps(self) -> int:
        """Coherence time, 2·T1 where only T1 is given; 0: infinite."""
        return self.t2 if self.t2 is not None else 2 * self.t1_ps


class NodeSection(Section):
    """[nodes.NAME]: a node without a memory is a classical switch."""

    memory: Name | None = None
    station: bool = False  # a heralding station, between the ends of links that name it
    id: int | None = Field(default=None, ge=1, lt=1 << 32)


class LinkSection(Section):
    """[[links]]: a fibre between two nodes, or what [defaults.link] says for all of them."""

    between: list[Name] = Field(min_length=2, max_length=2)
    length: Metres
    quantum: bool | None = None  # None: where both nodes have a memory
    bandwidth: BitsPerSecond = 1e10
    attenuation: DecibelsPerKm = 0.2
    scheme: Literal["double-click", "single-click", "source", "end-to-end"] = "double-click"
    # The station's node; True: one of the link's own, if it carries qubits; None: no MHP on it.
    herald: Annotated[str | bool | None, AfterValidator(_herald)] = None
    station: float = Field(default=0.5, ge=0.0, le=1.0, allow_inf_nan=False)
    emission_efficiency: ProbabilityOfEnds = (1.0, 1.0)
    detector_efficiency: Probability = 1.0
    dark_counts: HertzOrZero | None = None  # of a detector; None: none
    dark_count_probability: Probability | None = None  # instead: within the detection window
    detection_window: Picoseconds = 1000
    photon_lifetime: Picoseconds | None = None  # None: all photons fall into the window
    visibility: Probability = 1.0
    emission_time: PicosecondsOrZero = 0
    attempt_time: Picoseconds | None = None  # attempts begin at its multiples; None: at once
    bright_state: ProbabilityOfEnds = (0.1, 0.1)  # single-click
    balanced: bool = False  # single-click: the bright state, against unequal losses
    phase_uncertainty: RadiansOrZero = 0.0  # single-click: standard deviation
    number_resolving: bool = False  # single-click: the detectors
    pair_probability: Probability = 1.0  # source
    double_excitation: ProbabilityOfEnds = (0.0, 0.0)  # not source
    preparation_error: ProbabilityOfEnds = (0.0, 0.0)  # not source
    cycle: Picoseconds | None = None  # of the MHP; None: as long as a K attempt takes
    link_slots: int | None = Field(default=None, ge=1, le=16)  # per end, the link layer's
    sample_heralds: PowerOfTwo | None = None  # each so many-th pair is copied to the controller
    slice: Name | None = None  # of the plain traffic on it
    every_attempt: bool = False  # the MHP sends GEN and REPLY of failing attempts too
    # Addresses of the two nodes, as in `between`; None: circuits' messages go over the fibre.
    tunnel: TunnelEnds | None = None

    @property
    def dark_per_window(self) -> float:
        """Probability that a detector fires by itself within the detection window."""
        if self.dark_count_probability is not None:
            return self.dark_count_probability
        return -math.expm1(-(self.dark_counts or 0.0) * self.detection_window * 1e-12)

    @property
    def window_share(self) -> float:
        """Share of the photons that come within the detection window: 1 − exp(−window/lifetime)."""
        if self.photon_lifetime is None:
            return 1.0
        return -math.expm1(-self.detection_window / self.photon_lifetime)

    def fibre(self) -> FibreLink:
        """The physics of the link, in the engine's terms."""
        from qplane_cext.sim.photonic import FibreLink  # needs NumPy: only when it is wanted

        first, second = (share * self.window_share for share in self.emission_efficiency)
        return FibreLink(
            length_km=self.length / 1e3,
            station_fraction=self.station,
            attenuation_db_per_km=self.attenuation,
            emission_efficiency=(first, second),
            detector_efficiency=self.detector_efficiency,
            dark_count_probability=self.dark_per_window,
            visibility=self.visibility,
            emission_ps=self.emission_time,
            attempt_ps=self.attempt_time,
            aligned=self.attempt_time is not None,
            scheme=self.scheme,
            bright_state=self.bright_state,
            balanced=self.balanced,
            phase_std_rad=self.phase_uncertainty,
            number_resolving=self.number_resolving,
            pair_probability=self.pair_probability,
            double_excitation=self.double_excitation,
            preparation_error=self.preparation_error,
        )

    @model_validator(mode="after")
    def _attempts(self) -> LinkSection:
        if self.attempt_time is not None:
            least_ps = self.model_copy(update={"attempt_time": None}).fibre().least_attempt_ps
            if self.attempt_time < least_ps:
                raise ValueError(
                    f"attempt_time is shorter than the {least_ps / 1e6:g} us that emission and the "
                    "way to the station and back take"
                )
        return self

    @property
    def can_herald(self) -> bool:
        """Whether an attempt can succeed at all."""
        try:
            self.fibre().herald()
        except ValueError:
            return False
        return True

    @model_validator(mode="after")
    def _scheme(self) -> LinkSection:
        if self.scheme == "end-to-end" and self.station != 1.0:
            raise ValueError(
                'with scheme "end-to-end" the second node receives, and the station stands beside '
                "it: station = 1.0 is wanted"
            )
        alpha_a, alpha_b = self.bright_state
        if alpha_a != alpha_b and (self.balanced or not alpha_a or not alpha_b):
            raise ValueError(
                "bright_state has two different numbers; then both are more than 0, and the link "
                "is not balanced as well"
            )
        if self.dark_counts is not None and self.dark_count_probability is not None:
            raise ValueError(
                "dark_counts and dark_count_probability say the same: one of them is wanted"
            )
        if self.scheme == "source" and any((*self.double_excitation, *self.preparation_error)):
            raise ValueError(
                "double_excitation and preparation_error are of memories that emit; with scheme "
                '"source" they store'
            )
        if self.herald is None and (
            self.cycle is not None
            or self.every_attempt
            or self.link_slots is not None
            or self.sample_heralds is not None
        ):
            raise ValueError(
                "cycle, every_attempt, link_slots and sample_heralds need a heralding station: "
                "herald = NODE, or herald = true"
            )
        return self

    @model_validator(mode="after")
    def _two_nodes(self) -> LinkSection:
        if self.between[0] == self.between[1]:
            raise ValueError("a link joins two different nodes")
        return self


class CircuitSection(Section):
    """[[circuits]]: entanglement wanted from one node to another."""

    name: Name
    head: Name = Field(alias="from")
    tail: Name = Field(alias="to")
    slots: int | None = Field(default=None, ge=1, le=32)  # per link side; None: an equal share
    cutoff: Picoseconds | None = None
    fidelity: Fidelity | None = None
    rate: Hertz | None = None  # pairs a second
    slice: Name | None = None
    request: Literal["keep", "measure", "early"] = "keep"
    complete: bool = False
    budget: Picoseconds | None = None
    distil: int | None = Field(default=None, ge=0, le=3)  # rounds between the ends
    distil_links: int | None = Field(default=None, ge=0, le=3)  # rounds on each link

    @model_validator(mode="after")
    def _two_ends(self) -> CircuitSection:
        if self.head == self.tail:
            raise ValueError("a circuit joins two different nodes")
        if self.distil and (self.complete or self.request == "early"):
            raise ValueError("pairs that are distilled come neither early nor with COMPLETE")
        if self.distil and self.slots is not None and self.slots <= self.distil:
            raise ValueError(f"{self.distil} rounds of distillation need {self.distil + 1} slots")
        if self.distil_links and self.slots is not None and self.slots <= self.distil_links:
            needed = self.distil_links + 1
            raise ValueError(f"{self.distil_links} rounds of distillation need {needed} slots")
        if self.distil and self.distil_links:
            raise ValueError("pairs are distilled on links or between the ends, not both")
        return self


class SliceSection(Section):
    """[slices.NAME]: a share of the nodes. What is left out is not limited."""

    qci_rate: MessagesPerSecond | None = None
    qci_burst: int | None = Field(default=None, ge=1, lt=1 << 31)  # None: a tenth of a second's
    classical_rate: DataPerSecond | None = None
    classical_burst: Bytes | None = None  # None: a tenth of a second's, at least 9000 bytes
    slots: Annotated[dict[str, SlotRange], BeforeValidator(_slot_ranges)] | None = None

    @model_validator(mode="after")
    def _bursts(self) -> SliceSection:
        for kind in ("qci", "classical"):
            if getattr(self, f"{kind}_burst") is not None and getattr(self, f"{kind}_rate") is None:
                raise ValueError(f"{kind}_burst needs {kind}_rate, which it is the burst of")
        return self


class TelemetrySection(Section):
    """[telemetry]: what the switches tell without being asked."""

    events: dict[str, Annotated[int, Field(ge=1, lt=1 << 31)]] = Field(default_factory=dict)
    anomalies: bool = False


class HostSection(Section):
    """[[hosts]]: an ordinary computer on a port of a node."""

    name: Name
    node: Name
    ip: IPv4
    slice: Name | None = None


class LabelPathSection(Section):
    """[[label_paths]]: a label-switched path for a host's packets to another one."""

    name: Name
    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    label: int = Field(ge=16, lt=1 << 20)  # below: special-purpose labels (RFC 7274)
    slice: Name | None = None


class PingSection(Section):
    """[[pings]]: ICMP echo from one host to another."""

    source: Name = Field(alias="from")
    target: Name = Field(alias="to")
    interval: Picoseconds
    count: int | None = Field(default=None, ge=1)  # None: as long as the run lasts


class Faults(Section):
    """[faults]: what each channel between nodes does to QCI frames; probabilities per frame."""

    loss: Probability = 0.0
    duplication: Probability = 0.0
    reordering: Probability = 0.0  # an extra delay during which later frames overtake
    delay: Probability = 0.0  # an extra delay that keeps the order
    corruption: Probability = 0.0  # some bits flip
    mean_delay: Picoseconds = 1_000_000_000  # of the exponential extra delays, 1 ms
    max_flipped_bits: int = Field(default=3, ge=1, le=16)
    all_traffic: bool = False  # classical frames as well

    @property
    def any(self) -> bool:
        """Whether anything can happen at all."""
        return any((self.loss, self.duplication, self.reordering, self.delay, self.corruption))


class Defaults(Section):
    """[defaults]: `link` holds keys for every link that does not set them itself."""

    link: dict[str, Any] = Field(default_factory=dict)


class NetworkFile(Section):
    """A whole file."""

    network: General
    defaults: Defaults = Defaults()
    memories: dict[Name, Memory] = Field(default_factory=dict)
    nodes: dict[Name, NodeSection]
    links: list[LinkSection]
    circuits: list[CircuitSection] = Field(default_factory=list)
    slices: dict[Name, SliceSection] = Field(default_factory=dict)
    hosts: list[HostSection] = Field(default_factory=list)
    label_paths: list[LabelPathSection] = Field(default_factory=list)
    pings: list[PingSection] = Field(default_factory=list)
    faults: Faults = Faults()
    telemetry: TelemetrySection = TelemetrySection()
