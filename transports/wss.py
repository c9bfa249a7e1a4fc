"""`wss://host[:port]/?password=…&ca=…`: a WebREPL behind a server that ends TLS."""

from __future__ import annotations

from klemheist.transports.sealed import SealedLink
from klemheist.transports.webrepl import WebReplLink


class SecureWebReplLink(SealedLink, WebReplLink):
    """One connection to a WebREPL through TLS, logged in."""
