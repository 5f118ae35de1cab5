"""Random streams; see streams.pxd.

Each stream is ``Philox(SeedSequence(seed, spawn_key=key))`` with a key that names what it belongs
to (kind, then node ids, link or port numbers), so that a stream depends neither on what others draw
nor on the order in which the network was put together.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer

from numpy.random import Philox, SeedSequence


cdef class Streams:
    def __init__(self, seed):
        if seed < 0:
            raise ValueError(f"seed is {seed}; it must not be negative")
        self.seed = int(seed)
        self.generators = []

    cdef bitgen_t* open(self, tuple key) except NULL:
        generator = Philox(SeedSequence(self.seed, spawn_key=key))
        self.generators.append(generator)
        return <bitgen_t*>PyCapsule_GetPointer(generator.capsule, "BitGenerator")


def sample_geometric(seed, double probability, int count):
    """``count`` draws of the number of attempts, as a list. For tests of the sampler."""
    cdef Streams streams = Streams(seed)
    cdef bitgen_t* stream = streams.open((0,))
    return [geometric(stream, probability) for _ in range(count)]
