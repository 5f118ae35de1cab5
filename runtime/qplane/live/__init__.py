"""Networks that run in real time, and the operations that they serve."""
