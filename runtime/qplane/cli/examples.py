"""Examples at the end of a command's help: each on a line of its own, to be copied."""


def examples(*commands: str) -> str:
    """An epilog as Typer lays it out, which joins lines but not paragraphs."""
    return "\n\n".join(("Example:" if len(commands) == 1 else "Examples:", *commands))
