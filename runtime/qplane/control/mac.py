"""MAC addresses of nodes."""


def node_mac(node_id: int) -> int:
    """The MAC address of a node, the same on all ports: 06, the node id, 00.

    Locally administered and unicast; table `my_mac` thus has one entry, however many the ports.
    """
    return 0x06 << 40 | node_id << 8
