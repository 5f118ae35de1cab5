"""The P4 programs that travel with the package: where they are, what is in them, how to compile.

>>> from qplane.p4 import load
>>> load("qnode").json[:1]
b'{'
"""

from qplane.p4.sources import P4SourceError, Program, directory, load, programs

__all__ = ["P4SourceError", "Program", "directory", "load", "programs"]
