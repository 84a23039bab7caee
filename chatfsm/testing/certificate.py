"""A certificate for 127.0.0.1 that nobody has reason to trust, and its key, which is no secret."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["CERTIFICATE", "server_context"]

# Signed by itself, for the years 2020 to 2119.
CERTIFICATE: Final = """\
-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIBATAKBggqhkjOPQQDAjAbMRkwFwYDVQQDDBBjaGF0ZnNt
IGxvb3BiYWNrMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAbMRkw
FwYDVQQDDBBjaGF0ZnNtIGxvb3BiYWNrMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
QgAEivPHujVq9FiQcCTrR9UDiXRQbXsQMDPCSIlxbWZduES44xUlAHLwQABxKpLP
FzdiSpapZH/3r8oCBXul+qbZXaNeMFwwGgYDVR0RBBMwEYcEfwAAAYIJbG9jYWxo
b3N0MA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgKEMB0GA1UdDgQWBBQ6
uRcSxYscLUIKNdB4ynVZCLvh0DAKBggqhkjOPQQDAgNIADBFAiEA/u5y2Oz+efj7
44G1jEXtUrkRIm6ngWi3uetCwJpxQsECIGLRGlYQ9EHFLSXm5eyctPyDm87kKei4
EoQrzdIsSY0G
-----END CERTIFICATE-----
"""
_KEY: Final = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBMCZr6yGfIeLqGfV
G//t4tSQEISyI5/IgK4WYIfOcjChRANCAASK88e6NWr0WJBwJOtH1QOJdFBtexAw
M8JIiXFtZl24RLjjFSUAcvBAAHEqks8XN2JKlqlkf/evygIFe6X6ptld
-----END PRIVATE KEY-----
"""


def server_context() -> ssl.SSLContext:
    """What a server needs to show the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        # The standard library reads a key from a file only.
        pem = Path(folder, "loopback.pem")
        pem.write_text(CERTIFICATE + _KEY, "ascii")
        context.load_cert_chain(pem)
    return context
