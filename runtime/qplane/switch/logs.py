"""Where the switch logs to: console, rotating file, or (warnings only) standard error."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler

from .options import Options
from .trace import TRACE

_LEVELS = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}
_LETTERS = {TRACE: "T", 10: "D", 20: "I", 30: "W", 40: "E", 50: "C"}


class _Formatter(logging.Formatter):
    """The reference's layout: [time] [name] [level] [thread N] message."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.levelno == TRACE and message.startswith("{"):
            return message  # a JSON line stands alone
        clock = self.formatTime(record, "%H:%M:%S")
        letter = _LETTERS.get(record.levelno, "I")
        head = f"[{clock}.{int(record.msecs):03d}] [qplane] [{letter}] [thread {record.thread}]"
        text = f"{head} {message}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def set_up_logging(options: Options) -> None:
    """Attach one handler to the package's logger. Raises OSError when the file can't be opened."""
    root = logging.getLogger("qplane")
    logging.addLevelName(TRACE, "TRACE")
    handler: logging.Handler
    if options.log_console:
        handler = logging.StreamHandler(sys.stdout)
    elif options.log_file is not None:
        handler = RotatingFileHandler(
            options.log_file,
            maxBytes=options.log_file_max_size,
            backupCount=options.log_file_max_files,
        )
    else:
        handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    root.addHandler(handler)
    root.propagate = False
    wanted = options.log_console or options.log_file is not None
    root.setLevel(_LEVELS[options.log_level] if wanted else logging.WARNING)
