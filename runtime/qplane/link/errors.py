"""Errors of the link layer's interface; of a request's end, see qplane.link.request."""


class LinkLayerError(Exception):
    """The caller named something that is not there. The text is one line for the user."""
