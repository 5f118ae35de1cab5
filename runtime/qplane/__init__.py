"""qplane: a P4-programmable data plane for networks that are classical and quantum at once."""

__version__ = "0.1.0"
