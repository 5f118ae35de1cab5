"""Ask for a circuit, watch it, take it down: what `qplane circuit` does, in Python.

qplane net up examples/repeater.toml        # in another terminal
python examples/circuits.py alice bob 0.9 20
"""

import sys
from itertools import islice

from qplane.live import client
from qplane.live.api import OperationError

if len(sys.argv) != 5:
    sys.exit("usage: circuits.py HEAD TAIL FIDELITY PAIRS_PER_SECOND")
head, tail, fidelity, rate = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
try:
    with client.find() as network:  # the only one that runs; or client.find("its name")
        circuit = network.call("circuit.add", head=head, tail=tail, fidelity=fidelity, rate=rate)
        print(f"{circuit['name']}: {' - '.join(circuit['path'])}, {circuit['slots']} slots a side")
        for now in islice(network.stream("net.top", interval=0.5), 3):
            (row,) = [row for row in now["circuits"] if row["name"] == circuit["name"]]
            print(f"{row['delivered']} pairs delivered")
        network.call("circuit.remove", name=circuit["name"])
except OperationError as error:
    sys.exit(str(error))
