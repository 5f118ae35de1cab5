"""Checks of what a caller gives: each returns the value or raises ValueError that names it."""

import ipaddress
from typing import NamedTuple

LONGEST_PS = (1 << 63) - 1


class Faults(NamedTuple):
    """What a channel does to frames that carry QCI; see network.pyi."""

    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    delay: float = 0.0
    corruption: float = 0.0
    mean_delay_ps: int = 1_000_000_000
    max_flipped_bits: int = 3
    all_traffic: bool = False


def within(name: str, value: float, low: float, high: float) -> float:
    """The value, if it lies in low to high."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; it must lie in {low} to {high}")
    return value


def probability(name: str, value: float) -> float:
    """The value, if it lies in 0 to 1."""
    return within(name, value, 0, 1)


def duration(name: str, value: int) -> float:
    """The value, if it is a time that picoseconds in 63 bits can hold."""
    return within(name, value, 0, LONGEST_PS)


def rate(name: str, value: float) -> float:
    """The value, if it is positive and finite."""
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} is {value}; it must be positive")
    return value


def ipv4(name: str, text: str) -> int:
    """The address as a number."""
    try:
        return int(ipaddress.IPv4Address(text))
    except ipaddress.AddressValueError as error:
        raise ValueError(f"{name} is {text!r}; it must be an IPv4 address") from error


def mac(name: str, text: str) -> bytes:
    """The six bytes of an Ethernet address like 02:00:00:00:00:2a."""
    parts = text.split(":")
    digits = set("0123456789abcdefABCDEF")
    if len(parts) != 6 or not all(len(part) == 2 and digits >= set(part) for part in parts):
        raise ValueError(f"{name} is {text!r}; it must look like 02:00:00:00:00:2a")
    return bytes(int(part, 16) for part in parts)
