"""Keys with static masks, keys of headers that are not valid, and a copied metadata struct."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qplane_cext.switch.core import SwitchCore, SwitchError

from .conftest import action

Make = Callable[..., SwitchCore]
MASKED, GONE = "IngressImpl.masked", "IngressImpl.gone"


def run(core: SwitchCore, a: int, b: int) -> tuple[int, int]:
    """(c, hit) of what comes out."""
    packet = b"".join(value.to_bytes(2, "big") for value in (a, b, 3, 0))
    [(port, out)] = core.process(0, packet, 0)
    assert port == 1
    return int.from_bytes(out[-4:-2], "big"), int.from_bytes(out[-2:], "big")


def test_only_the_masked_bits_of_a_key_matter(switch: Make) -> None:
    core = switch("keys")
    target = action(core, MASKED, "IngressImpl.mark", 7)
    core.table_add(MASKED, [b"\x12\x34"], 0, target)  # as BMv2: 0x34 is behind the mask
    assert [run(core, a, 0)[1] for a in (0x1200, 0x12FE, 0x1334)] == [7, 7, 0]
    with pytest.raises(SwitchError, match="has this entry"):
        core.table_add(MASKED, [b"\x12\x00"], 0, target)


def test_a_field_of_an_invalid_header_is_zero_in_a_key(switch: Make) -> None:
    core = switch("keys")
    core.table_add(GONE, [b"\0\0"], 0, action(core, GONE, "IngressImpl.mark", 1))
    core.table_add(GONE, [b"\0\5"], 0, action(core, GONE, "IngressImpl.mark", 2))
    assert run(core, 0x0000, 5)[1] == 2  # still valid
    assert run(core, 0x0001, 5)[1] == 1


def test_a_local_copy_of_the_metadata_is_copied_in_and_out(switch: Make) -> None:
    assert run(switch("keys"), 0x0100, 0)[0] == 0x0103
