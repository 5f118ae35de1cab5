"""Names of the indices of the P4 program's counters; p4src/include/metadata.p4 defines them."""

DROPS_INGRESS = "QnodeIngress.drops"
DROPS_EGRESS = "QnodeEgress.drops"
PAIR_EVENTS = "pair_events"

DROPS = {
    1: "parser error",
    2: "bad checksum",
    3: "ttl",
    4: "no route",
    5: "unknown mac",
    6: "unknown label",
    7: "unknown circuit",
    8: "qci malformed",
    9: "qci port",
    10: "device port",
    11: "device malformed",
    12: "device label",
    13: "device stale",
    14: "track duplicate",
    15: "ack stale",
    16: "slice classical",
    17: "slice qci",
    18: "slice slot",
    19: "message stale",
    24: "no station",
}
"""Why packets were dropped."""

EVENTS = {
    1: "track sent",
    2: "track waits",
    3: "track forwarded",
    4: "track dead",
    5: "track unknown",
    6: "swap",
    7: "swapped",
    8: "swap failed",
    9: "deliver",
    10: "expire sent",
    11: "expire received",
    12: "expire unknown",
    13: "expire confirmed",
    14: "void",
    15: "release",
    16: "no room",
    17: "time up",
    18: "early",
    19: "confirm",
    20: "complete sent",
    21: "completed",
    22: "correction sent",
    23: "correction",
    24: "correction confirmed",
    25: "distil sent",
    26: "distil",
}
"""What happened to pairs."""
