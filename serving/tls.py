"""The server's certificate, read again when its files change."""

from __future__ import annotations

import os
import ssl
import time

from serving.logs import Log

_CHECK_SECONDS = 1.0


class Certificates:
    """A TLS context of the current certificate. Files that become unusable leave the last one in force."""

    def __init__(self, cert_file: str, key_file: str, log: Log) -> None:
        """Load the certificate.

        Raises:
            OSError, ssl.SSLError: a file is missing, no PEM, or the key is not the certificate's.
        """
        self._files = (cert_file, key_file)
        self._log = log
        self._stamp = self._read_stamp()
        self._context = self._load()
        self._next_check = 0.0

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(*self._files)
        return context

    def _read_stamp(self) -> tuple[tuple[int, int, int], ...] | None:
        try:
            found = [os.stat(path) for path in self._files]  # noqa: PTH116
        except OSError:
            return None
        return tuple((f.st_mtime_ns, f.st_size, f.st_ino) for f in found)

    def context(self) -> ssl.SSLContext:
        """The context for the next connection."""
        now = time.monotonic()
        if now < self._next_check:
            return self._context
        self._next_check = now + _CHECK_SECONDS
        stamp = self._read_stamp()
        if stamp != self._stamp:
            try:
                self._context = self._load()
            except (OSError, ssl.SSLError) as problem:
                # A renewal writes two files: they do not match until both are there. Look again next time.
                self._log.warning(
                    f"the renewed certificate cannot be used yet; the one before it stays: {problem}"
                )
            else:
                self._stamp = stamp
                self._log.info("the certificate was read again")
        return self._context
