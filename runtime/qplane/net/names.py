"""Names of nodes, circuits, slices and everything else in a network."""


def checked_name(value: str) -> str:
    """`value`, if it serves as a name. Raises ValueError, which says what a name is."""
    if not value or not all(c.isalnum() or c in "-_." for c in value):
        raise ValueError("a name consists of letters, digits, '-', '_' and '.'")
    if not value.strip("."):
        raise ValueError("a name has a letter, a digit, '-' or '_' in it, not dots alone")
    return value
