"""The engine's clock tied to the wall clock."""

class Pacer:
    """Ties one engine to the wall clock; given to ``Network.run_paced``.

    One second of the network takes ``time_scale`` seconds of wall time: above 1 the network is
    slowed down, below 1 sped up.
    """

    def __init__(self, time_scale: float) -> None: ...
    @property
    def time_scale(self) -> float: ...
    def wake(self) -> None:
        """Make ``run_paced`` return "woken". From any thread; not lost if it is not running."""
    def now_ps(self) -> int:
        """The network's time by the wall clock; 0 before the first run. From any thread."""
    def lateness(self, *, recent: bool = False) -> dict[str, float]:
        """How late, in wall time, the engine got to the first of the events that were due: count,
        mean_ns, p50_ns, p99_ns (to within 5 %), max_ns. With ``recent``, since the last such call.
        From the thread that runs."""
