"""One hop of a circuit, programmed with p4runtime-shell: docs/p4.md, "By hand"."""

import sys

import p4runtime_sh.shell as sh

UP, DOWN, DEVICE = 3, 4, 5  # ports
CIRCUIT = 7

program = sh.FwdPipeConfig("p4src/build/qnode.p4info.txtpb", "p4src/build/qnode.json")
address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9559"
sh.setup(1, address, election_id=(0, 1), config=program, verbose=False)


def insert(table, key, action, **parameters):
    entry = sh.TableEntry(table)(action=action)
    for name, value in key.items():
        entry.match[name] = str(value)
    for name, value in parameters.items():
        entry.action[name] = str(value)
    entry.insert()


for port, kind in ((UP, 1), (DOWN, 1), (DEVICE, 2)):
    insert("port_kind", {"ingress_port": port}, "set_port_kind", kind=kind, slice=0)
for group, replicas in {
    21: [(DEVICE, 3), (UP, 2)],
    22: [(DEVICE, 3), (DOWN, 1)],
    23: [(UP, 2), (DOWN, 1)],
}.items():
    entry = sh.MulticastGroupEntry(group)
    for port, replication_id in replicas:
        entry.add(port, replication_id)
    entry.insert()
insert(
    "circuit", {"circuit": CIRCUIT}, "repeater", device_port=DEVICE,
    link_up=0, port_up=UP, group_device_up=21, delay_up_us=0,
    link_down=1, port_down=DOWN, group_device_down=22, delay_down_us=0, group_both=23,
)  # fmt: skip
for side, port, link, label in ((2, UP, 0, 100), (1, DOWN, 1, 200)):
    circuit = {"circuit_id": CIRCUIT, "side": side, "slice": 0}
    insert("label_in", {"ingress": port, "label": label}, "set_circuit", **circuit)
    insert("pair_in", {"link": link, "label": label}, "set_circuit", **circuit)
    insert(
        "adjacency", {"circuit": CIRCUIT, "copy": side}, "set_adjacency",
        label=label, src_mac="06:00:00:00:00:01", dst_mac=f"06:00:00:00:01:0{side}",
    )  # fmt: skip
sh.teardown()
