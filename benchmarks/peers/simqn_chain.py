"""One lossy link in SimQN, pairs sent at regular times; prints JSON. Run by
benchmarks/chain_peers.py with the interpreter of the peers' environment.

    python benchmarks/peers/simqn_chain.py SUCCESS ATTEMPT_S DELAY_S SECONDS
"""

import json
import sys
import time

from qns.network.network import QuantumNetwork
from qns.network.protocol.entanglement_distribution import EntanglementDistributionApp
from qns.network.topology import LineTopology
from qns.network.topology.topo import ClassicTopology
from qns.simulator.event import func_to_event
from qns.simulator.simulator import Simulator


class Sender(EntanglementDistributionApp):
    """SimQN's application never learns of a photon that was lost and keeps its partner for ever.
    Here it is forgotten when an answer should have come, so that the memory stays small."""

    wait_s = 0.0

    def request_distrbution(self, transmit_id: str) -> None:  # spelt so there
        super().request_distrbution(transmit_id)
        when = self._simulator.tc + self._simulator.time(sec=self.wait_s)
        self._simulator.add_event(
            func_to_event(when, self.forget, by=self, transmit_id=transmit_id)
        )

    def forget(self, transmit_id: str) -> None:
        transmit = self.state.pop(transmit_id)
        if transmit is not None:
            self.memory.read(transmit.second_epr_name)


def main(success: float, attempt_s: float, delay_s: float, seconds: float) -> None:
    Sender.wait_s = 5 * delay_s
    simulator = Simulator(0, seconds, accuracy=10**9)
    line = LineTopology(
        nodes_number=2,
        qchannel_args={"bandwidth": 0, "delay": delay_s, "drop_rate": 1 - success},
        cchannel_args={"delay": delay_s},
        memory_args=[{"capacity": 0}],
        nodes_apps=[Sender(init_fidelity=1.0)],
    )
    network = QuantumNetwork(topo=line, classic_topo=ClassicTopology.Follow)
    network.build_route()
    network.add_request(
        src=network.get_node("n1"), dest=network.get_node("n2"), attr={"send_rate": 1 / attempt_s}
    )
    network.install(simulator)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    simulator.run()
    cpu_s, wall_s = time.process_time() - begin_cpu, time.perf_counter() - begin
    app = network.get_node("n2").get_apps(Sender)[0]
    fidelities = {pair.fidelity for pair in app.success}
    answer = {"pairs": app.success_count, "cpu_s": cpu_s, "wall_s": wall_s}
    print(json.dumps(answer | {"fidelity": min(fidelities)}))


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:5]))
