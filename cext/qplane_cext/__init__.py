"""The compiled half of qplane: quantum memory, event loop, the switch's packet path."""
