"""TLS as a client: the one place that says whom it trusts and what it speaks."""

from __future__ import annotations

import ssl

_OLDEST = ssl.TLSVersion.TLSv1_2


def client_context(*, insecure: bool = False, authorities: str = "") -> ssl.SSLContext:
    """Trusts the machine's authorities (those of SSL_CERT_FILE and SSL_CERT_DIR, where these are set), and `authorities` (PEM) beside them.

    `insecure` takes any certificate. HTTP/1.1 is the only protocol that is offered: a front that could speak HTTP/2 is not to try.
    """
    context = ssl.create_default_context()  # with `cadata` it would leave out the machine's own
    context.minimum_version = max(context.minimum_version, _OLDEST)  # a machine may be stricter; some Pythons allow all there ever was
    context.set_alpn_protocols(["http/1.1"])
    if authorities:
        context.load_verify_locations(cadata=authorities)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
