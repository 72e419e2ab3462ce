"""Where a storm is played: the platform that it meets, and the cluster that it comes from."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from owray.fleet.cluster import RayCluster
from owray.fleet.spec import Gateway
from owray.openwhisk.target import Target

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.[0-9]+")
"""OpenSSL reads no other file of a folder (openssl rehash makes these names)."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A target, and a Ray cluster to play from."""

    target: Target
    cluster: RayCluster

    def gateway(self) -> Gateway:
        """The target as invokers need it."""
        parts = urlsplit(self.target.api_host)
        tls = parts.scheme == "https"
        return Gateway(
            host=parts.hostname or "",
            port=parts.port or (443 if tls else 80),
            auth=self.target.auth,
            tls=tls,
            insecure=self.target.insecure,
            namespace=self.target.namespace,
            authorities=_authorities() if tls else "",
        )


def _authorities() -> str:
    """The certificates that SSL_CERT_FILE and SSL_CERT_DIR name, each once; what is no certificate in a file is passed over."""
    files = [Path(os.environ.get("SSL_CERT_FILE", ""))]
    for folder in filter(None, os.environ.get("SSL_CERT_DIR", "").split(os.pathsep)):
        files += sorted(path for path in Path(folder).glob("*") if _HASHED_NAME.fullmatch(path.name))
    return "\n".join(dict.fromkeys(certificate for file in files for certificate in _certificates(file)))


def _certificates(file: Path) -> list[str]:
    try:
        return _CERTIFICATE.findall(file.read_bytes().decode("ascii", errors="ignore"))
    except OSError:
        return []
