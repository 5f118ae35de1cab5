"""From when on a pair is better off in storage: moved to a nuclear spin, or left with the electron.

    python benchmarks/links/storage.py

Both ends of a double-click link keep a pair. With storage they move their halves as soon as it is
heralded, which takes 0.3 ms and costs fidelity (depolarising `move_error`), and from then on the
halves age with the storage's T2 of 1 s instead of the electron's. The closed form says after which
time both are equally good; the engine's pairs are looked at then, and at half and twice the time.
"""

from __future__ import annotations

import math
from typing import Any

from world import US, World, plan, run, world, write  # beside this script

from qplane.link.messages import Ok
from qplane.link.request import Listener

LINK = {
    "length": "10 km",
    "emission_efficiency": 0.5,
    "visibility": 0.9,
    "link_slots": 2,
}
MOVE_S, STORAGE_T2_S = 0.3e-3, 1.0
T2_MS = (1, 10, 100)
MOVE_ERRORS = (0.005, 0.02, 0.05, 0.1)


def fidelity_left(xy: float, age_s: float, t2_s: float) -> float:
    """Of a pair whose halves both age so long as electrons: <XX> decays, <ZZ> = −1 stays."""
    return (1 + xy * math.exp(-2 * age_s / t2_s)) / 2


def fidelity_moved(xy: float, age_s: float, t2_s: float, error: float, ready_s: float) -> float:
    """The same for halves that are in storage since `ready_s`."""
    kept = (1 - error) ** 2
    decay = math.exp(-2 * ready_s / t2_s - 2 * (age_s - ready_s) / STORAGE_T2_S)
    return (1 + kept + 2 * kept * xy * decay) / 4


def crossing(xy: float, t2_s: float, error: float, ready_s: float) -> float | None:
    """Age of the halves from which storage is better; None: not within ten T2."""
    low, high = ready_s, 10 * t2_s

    def gain(age_s: float) -> float:
        moved = fidelity_moved(xy, age_s, t2_s, error, ready_s)
        return moved - fidelity_left(xy, age_s, t2_s)

    if gain(high) < 0:
        return None
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if gain(middle) < 0 else (low, middle)
    return high


async def kept(memory: dict[str, object], ages_s: list[float]) -> tuple[list[float], float]:
    """True fidelities of one pair when its halves are so old, or at once if they are older; and how
    old they were when it was reported."""
    async with world(plan(LINK, memory)) as w:
        listener = w.b.listen(7)
        request = await w.a.create(1, purpose_id=7)
        ok = await anext(aiter(request))
        (pair,) = w.engine.link_pairs()
        emitted_ps = max(half["emitted_ps"] for half in pair["halves"])
        found = []
        reported_s = (w.clock.now_ps() - emitted_ps) * 1e-12
        for age_s in ages_s:
            wait_ps = emitted_ps + round(age_s * 1e12) - w.clock.now_ps()
            if wait_ps > 0:
                await w.clock.sleep(wait_ps)
            (pair,) = w.engine.link_pairs()
            found.append(max(pair["fidelities"]))
        await release(w, ok, listener)
        return found, reported_s


async def release(w: World, ok: Ok, listener: Listener) -> None:
    """Let go of the pair at both ends."""
    await w.a.release(ok)
    await w.clock.sleep(US)
    listener.close()
    async for there in listener:
        await w.b.release(there)


def point(t2_ms: float, error: float) -> dict[str, Any]:
    """Figures of one electron and one move."""
    t2_s = t2_ms * 1e-3
    electron = {"slots": 8, "t2": f"{t2_ms} ms"}
    storage = {
        "emitters": 1,
        "move_time": f"{MOVE_S * 1e3} ms",
        "move_error": error,
        "storage_t2": f"{STORAGE_T2_S} s",
    }
    xy = LINK["visibility"]
    assert isinstance(xy, float)
    (at_once,), ready_s = run(kept(electron | storage, [0.0]))
    age_s = crossing(xy, t2_s, error, ready_s)
    found = {"t2_ms": t2_ms, "move_error": error, "ready_ms": ready_s * 1e3, "at_once": at_once}
    if age_s is None:
        return found | {"pays_after_ms": None}
    ages_s = [max(ready_s, age_s / 2), age_s, 2 * age_s]
    left, _ = run(kept(electron, ages_s))
    moved, _ = run(kept(electron | storage, ages_s))
    differ = max(
        *(abs(f - fidelity_left(xy, t, t2_s)) for f, t in zip(left, ages_s, strict=True)),
        *(
            abs(f - fidelity_moved(xy, t, t2_s, error, ready_s))
            for f, t in zip(moved, ages_s, strict=True)
        ),
    )
    return found | {
        "pays_after_ms": age_s * 1e3,
        "ages_ms": [age * 1e3 for age in ages_s],
        "left": left,
        "moved": moved,
        "closed_form_differs_by": differ,
    }


def main() -> None:
    print("T2 ms  move error  pays after ms   fidelity then: left  moved   at twice: left  moved")
    rows = []
    for t2_ms in T2_MS:
        for error in MOVE_ERRORS:
            row = point(t2_ms, error)
            rows.append(row)
            if row["pays_after_ms"] is None:
                print(f"{t2_ms:>5} {error:>11}          never")
                continue
            left, moved = row["left"], row["moved"]
            print(
                f"{t2_ms:>5} {error:>11} {row['pays_after_ms']:>14.3f} {left[1]:>21.4f}"
                f" {moved[1]:>6.4f} {left[2]:>16.4f} {moved[2]:>6.4f}"
                f"   ±{row['closed_form_differs_by']:.0e}",
                flush=True,
            )
    write("storage", {"move_ms": MOVE_S * 1e3, "storage_t2_s": STORAGE_T2_S, "rows": rows})


if __name__ == "__main__":
    main()
