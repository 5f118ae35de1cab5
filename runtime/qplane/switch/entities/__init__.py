"""The kinds of P4Runtime entities: how each is written, undone and read back.

Every kind has a store with ``write`` and ``read``; :class:`qplane.switch.state.ForwardingState`
holds one of each for one pipeline.
"""
