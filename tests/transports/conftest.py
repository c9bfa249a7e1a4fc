"""Certificates for TLS: an authority that only these tests trust, and what it has signed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """PEM files: the authority's certificate; key and certificate of a server, and of another."""
    import trustme

    place, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    found = {"authority": authority.cert_pem}
    for name, host in (("server", "127.0.0.1"), ("elsewhere", "lab.example")):
        found[name] = authority.issue_cert(host).private_key_and_cert_chain_pem
    for name, pem in found.items():
        pem.write_to_path(str(place / f"{name}.pem"))
    return SimpleNamespace(**{name: f"{place}/{name}.pem" for name in found})
