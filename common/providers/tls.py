"""Which certificates are trusted."""

import os
import ssl
from functools import cache
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

_FILES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def trusted_certificates() -> Path:
    """The file or folder of root certificates: the environment's, else certifi's."""
    return Path(
        next((os.environ[name] for name in _FILES if os.environ.get(name)), DEFAULT_CA_BUNDLE_PATH)
    )


@cache
def verifying_context(certificates: Path) -> ssl.SSLContext:
    """A context that verifies against ``certificates``; kept, since reading them takes 10 ms.

    Raises OSError if they cannot be read.
    """
    context = create_urllib3_context()
    kind = "capath" if certificates.is_dir() else "cafile"
    try:
        context.load_verify_locations(**{kind: str(certificates)})
    except OSError:
        raise OSError(f"the trusted certificates {certificates} cannot be read") from None
    return context
