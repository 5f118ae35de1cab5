"""A chain of Barrett-Kok links in SeQUeNCe; prints JSON. Run by benchmarks/chain_peers.py with the
interpreter of the peers' environment.

    python benchmarks/peers/sequence_chain.py HOPS SECONDS
"""

import json
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from sequence.app.request_app import RequestApp
from sequence.topology.router_net_topo import RouterNetTopo

DISTANCE_M = 20_000
DELAY_PS = 100_000_000
START_PS = 100_000_000_000
PS = 10**12


def configuration(hops: int, seconds: float) -> dict:
    names = [f"r{k}" for k in range(hops + 1)]
    memory = {"fidelity": 1.0, "frequency": 1e12, "efficiency": 1.0, "coherence_time": -1}
    return {
        "is_parallel": False,
        "stop_time": START_PS + int(seconds * PS) + PS // 5,
        "templates": {"perfect": {"MemoryArray": memory}},
        "nodes": [
            {"name": name, "type": "QuantumRouter", "seed": k, "memo_size": 2,
             "template": "perfect"}
            for k, name in enumerate(names)
        ],
        "qconnections": [
            {"node1": a, "node2": b, "attenuation": 0.0002, "distance": DISTANCE_M,
             "type": "meet_in_the_middle"}
            for a, b in pairwise(names)
        ],
        "cconnections": [
            {"node1": a, "node2": b, "delay": DELAY_PS * (j - i)}
            for i, a in enumerate(names)
            for j, b in enumerate(names)
            if i < j
        ],
    }  # fmt: skip


def main(hops: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.json"
        path.write_text(json.dumps(configuration(hops, seconds)))
        topology = RouterNetTopo(str(path))
    timeline = topology.get_timeline()
    routers = {node.name: node for node in topology.get_nodes_by_type(RouterNetTopo.QUANTUM_ROUTER)}
    app, other = RequestApp(routers["r0"]), RequestApp(routers[f"r{hops}"])
    app.start(other.node.name, START_PS, START_PS + int(seconds * PS), 1, 0.5)
    timeline.init()
    begin, begin_cpu = time.perf_counter(), time.process_time()
    timeline.run()
    cpu_s, wall_s = time.process_time() - begin_cpu, time.perf_counter() - begin
    (station, *_) = topology.get_nodes_by_type(RouterNetTopo.BSM_NODE)
    efficiency = station.get_components_by_type("SingleAtomBSM")[0].detectors[0].efficiency
    answer = {"pairs": app.memory_counter, "cpu_s": cpu_s, "wall_s": wall_s}
    print(json.dumps(answer | {"detector_efficiency": efficiency}))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
