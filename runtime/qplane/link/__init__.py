"""The link layer: entanglement between neighbours as a service, CREATE in, OK or ERR out.

DQP keeps one queue at both ends of a link, EGP makes the pairs of what stands in it, by orders to
the device (MHP). ``docs/link-layer.md`` has the rules.
"""
