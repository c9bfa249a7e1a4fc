"""The `name=value&…` parts of device URLs. Pure."""

from __future__ import annotations

from urllib.parse import parse_qsl

from klemheist.transports.errors import UnknownScheme


def read_options(query: str, text: str, allowed: frozenset[str]) -> dict[str, str]:
    """Return the options of a URL.

    Args:
        query: those after its `?`.
        text: the whole, for messages.
        allowed: the names that mean something.

    Raises:
        UnknownScheme: an option means nothing, or has no value.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError as error:
        form = "&".join(f"{name}=…" for name in sorted(allowed)[:2]) or "nothing"
        raise UnknownScheme(
            f"{text!r}: its options are no list of name=value; write {form}, "
            f"with the names {', '.join(sorted(allowed))}"
        ) from error
    for name, _ in pairs:
        if name not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            raise UnknownScheme(f"{text!r}: unknown option {name!r}; allowed: {known}")
    return dict(pairs)
