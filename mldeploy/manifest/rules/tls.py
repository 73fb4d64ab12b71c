"""TLS settings that are complete, and that the target has."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.manifest.kinds import applies
from mldeploy.manifest.markers import marker
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.secret_refs import KeyVaultRef
from mldeploy.manifest.service import Service, Ssl
from mldeploy.manifest.validation import Fault

_MANAGED = ("leaf_domain_label", "issuer")
"""Where a certificate comes from that the cluster gets and renews by itself."""


def check(path: NodePath, service: Service, kind: str) -> Iterator[Fault]:
    """Where a certificate comes from: exactly one source, with everything that it needs."""
    ssl = service.ssl
    where = (*path, "ssl")
    if ssl is None or not ssl.enabled:
        return
    # What the target has no use for is refused by the keys' own markers.
    if not any(getattr(ssl, key) and not _applies(key, kind) for key in _MANAGED):
        yield from _sources(where, ssl, kind)


def _applies(key: str, kind: str) -> bool:
    on = marker(Ssl.model_fields[key])
    return on is None or applies(on, kind, None)


def _sources(where: NodePath, ssl: Ssl, kind: str) -> Iterator[Fault]:
    own = ssl.cert is not None or ssl.key is not None
    named = [
        key
        for key, given in (
            ("cert and key", own),
            ("leaf_domain_label", ssl.leaf_domain_label is not None),
            ("issuer", ssl.issuer is not None),
        )
        if given
    ]
    if len(named) > 1:
        yield Fault(where, f"has {' and also '.join(named)}; allowed: one source of the certificate")
        return
    if not named:
        more = "".join(f", or {key}" for key in _MANAGED if _applies(key, kind))
        yield Fault(where, f"has no certificate; give cert and key by reference{more}")
        return
    for key, other in (("cert", "key"), ("key", "cert")):
        if own and getattr(ssl, key) is None:
            yield Fault((*where, key), f"is missing; {other} is given")
    # A certificate of Key Vault is one secret that holds both.
    if own and ssl.cert is not None and ssl.cert == ssl.key and not isinstance(ssl.cert, KeyVaultRef):
        yield Fault((*where, "key"), "is the same secret as cert")
    if ssl.cname is None and ssl.leaf_domain_label is None and _applies("cname", kind):
        yield Fault((*where, "cname"), "is missing; write the host name that the certificate is for")
