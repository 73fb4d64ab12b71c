"""TLS settings that are complete, and that the target has."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.secret_refs import KeyVaultRef
from mldeploy.manifest.service import Service, Ssl
from mldeploy.manifest.validation import Fault


def check(path: NodePath, service: Service, kind: str) -> Iterator[Fault]:
    """Where a certificate comes from: exactly one source, with everything that it needs."""
    ssl = service.ssl
    where = (*path, "ssl")
    if kind == "edge":
        yield from _edge(path, service)
        return
    if ssl is None or not ssl.enabled or kind == "batch":
        return
    if kind != "aks" and ssl.leaf_domain_label is not None:
        yield Fault((*where, "leaf_domain_label"), "is for aks; give cert and key by reference")
        return
    if kind not in ("aks", "kubernetes") and ssl.issuer is not None:
        yield Fault((*where, "issuer"), "is for aks, kubernetes; give cert and key by reference")
        return
    yield from _sources(where, ssl, kind)


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
        more = {"aks": ", or leaf_domain_label, or issuer", "kubernetes": ", or issuer"}.get(kind, "")
        yield Fault(where, f"has no certificate; give cert and key by reference{more}")
        return
    for key, other in (("cert", "key"), ("key", "cert")):
        if own and getattr(ssl, key) is None:
            yield Fault((*where, key), f"is missing; {other} is given")
    # A certificate of Key Vault is one secret that holds both.
    if own and ssl.cert is not None and ssl.cert == ssl.key and not isinstance(ssl.cert, KeyVaultRef):
        yield Fault((*where, "key"), "is the same secret as cert")
    if ssl.cname is None and kind != "local" and ssl.leaf_domain_label is None:
        yield Fault((*where, "cname"), "is missing; write the host name that the certificate is for")


def _edge(path: NodePath, service: Service) -> Iterator[Fault]:
    ssl, edge = service.ssl, service.edge
    for key in ("cname", "cert", "key", "leaf_domain_label", "issuer"):
        if ssl is not None and getattr(ssl, key) is not None:
            yield Fault((*path, "ssl", key), "is not for edge; give edge: {cert_file: …, key_file: …}")
    files = {key: getattr(edge, key) if edge else None for key in ("cert_file", "key_file")}
    on = ssl is not None and ssl.enabled
    missing = [f"{key}: <path on the device>" for key, value in files.items() if value is None]
    if on and missing:
        yield Fault((*path, "ssl"), f"needs edge: {{{', '.join(missing)}}}")
    for key, value in files.items():
        if not on and value is not None:
            yield Fault((*path, "edge", key), "has no effect without ssl: {enabled: true}")
