"""Zip archives as clients send them."""

import base64
import io
import zipfile
from collections.abc import Mapping


def archive(files: Mapping[str, str], *, packed: bool = True, executable: tuple[str, ...] = ()) -> str:
    """Base64 of a zip archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as written:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = written.compression
            entry.external_attr = (0o755 if name in executable else 0o644) << 16
            written.writestr(entry, text)
    return base64.b64encode(buffer.getvalue()).decode()
