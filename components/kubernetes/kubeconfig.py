"""Kubeconfigs as values: one context only, files embedded, so that the same cluster is the same value everywhere."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

_FILES = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}
_AKS_SERVER_APP = (
    "6dae42f8-4368-4678-94ff-3960e28e3630"  # Entra application "Azure Kubernetes Service AAD Server"
)


class KubeconfigError(ValueError):
    """A kubeconfig cannot be used; the message says which, where and what is allowed."""


def load(text_or_path: str, context: str | None) -> str:
    """The kubeconfig reduced to one context, as YAML text.

    Args:
        text_or_path: the file's text, or its path (several joined with `:` are merged as kubectl does: first one wins).
        context: which context; the file's current one by default.

    Raises:
        KubeconfigError: it cannot be read or lacks what it refers to.
    """
    if "\n" in text_or_path or text_or_path.lstrip().startswith("{"):
        return reduce(_parse(text_or_path, "the kubeconfig"), context, Path())
    documents: list[tuple[Mapping[str, Any], Path]] = []
    for name in filter(None, text_or_path.split(os.pathsep)):
        path = Path(name).expanduser()
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise KubeconfigError(f"kubeconfig {name}: {error.strerror}") from error
        except ValueError:  # no UTF-8, or a path that no file can have
            raise KubeconfigError("the kubeconfig is neither a path of a text file nor YAML") from None
        documents.append((_parse(text, f"kubeconfig {name}"), path.parent))
    if not documents:
        raise KubeconfigError("the kubeconfig is empty: give a file's path or its text")
    merged: dict[str, Any] = {}
    for document, folder in documents:
        for key in ("clusters", "users", "contexts"):
            merged.setdefault(key, []).extend(_absolute(item, folder) for item in _items(document, key))
        if not merged.get("current-context"):
            merged["current-context"] = document.get("current-context")
    return reduce(merged, context, Path())


def _parse(text: str, where: str) -> Mapping[str, Any]:
    try:
        found: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        # Only where, never the text there: it may be a token.
        mark = getattr(error, "problem_mark", None)
        line = f": line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise KubeconfigError(f"{where}: no YAML{line}") from None
    if not isinstance(found, dict):
        raise KubeconfigError(f"{where}: no kubeconfig: expected an object, found {type(found).__name__}")
    return cast("Mapping[str, Any]", found)


def _items(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found: Any = document.get(key) or []
    if not isinstance(found, list):
        raise KubeconfigError(f"the kubeconfig's {key} are no list")
    for item in cast("list[Any]", found):
        if not isinstance(item, dict) or "name" not in item:
            raise KubeconfigError(f"the kubeconfig's {key} have an entry without a name")
        body: Any = cast("dict[str, Any]", item).get(key.removesuffix("s")) or ()
        if body and not isinstance(body, dict):
            raise KubeconfigError(
                f"the kubeconfig's {key}: {key.removesuffix('s')} of {item['name']!r} is no object"
            )
    return cast("list[dict[str, Any]]", found)


def _absolute(item: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    kind = next((key for key in ("cluster", "user") if key in item), None)
    if kind is None:
        return dict(item)
    body = dict(cast("Mapping[str, Any]", item[kind] or {}))
    for key in (*_FILES, "tokenFile"):
        if body.get(key):
            body[key] = str(folder / str(body[key]))
    return {**item, kind: body}


def reduce(document: Mapping[str, Any], context: str | None, folder: Path) -> str:
    """One context of ``document`` with its cluster and user, under fixed names, files embedded.

    Raises:
        KubeconfigError: the context, cluster or user is missing, or a file cannot be read.
    """
    name = context or str(document.get("current-context") or "")
    contexts = {str(item["name"]): item for item in _items(document, "contexts")}
    if name not in contexts:
        raise KubeconfigError(
            f"the kubeconfig has no context {name!r}; it has: {', '.join(sorted(contexts)) or 'none'}"
        )
    chosen = dict(cast("Mapping[str, Any]", contexts[name].get("context") or {}))
    cluster = _named(document, "clusters", "cluster", str(chosen.get("cluster")))
    user = _named(document, "users", "user", str(chosen.get("user")))
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "cluster",
        "clusters": [{"name": "cluster", "cluster": _embedded(cluster, folder)}],
        "users": [{"name": "user", "user": _embedded(user, folder)}],
        "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "user"}}],
    }
    return yaml.safe_dump(made, sort_keys=True)


def _named(document: Mapping[str, Any], group: str, key: str, name: str) -> Mapping[str, Any]:
    for item in _items(document, group):
        if str(item.get("name")) == name:
            return cast("Mapping[str, Any]", item.get(key) or {})
    raise KubeconfigError(f"the kubeconfig's {group} have no {name!r}, which its context refers to")


def _embedded(body: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    made = dict(body)
    for key, data in _FILES.items():
        if made.get(key):
            path = folder / str(made.pop(key))
            try:
                made[data] = base64.b64encode(path.read_bytes()).decode()
            except OSError as error:
                raise KubeconfigError(f"kubeconfig: {key} {path}: {error.strerror}") from error
    if made.get("tokenFile"):
        path = folder / str(made.pop("tokenFile"))
        try:
            made["token"] = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise KubeconfigError(f"kubeconfig: tokenFile {path}: {error.strerror}") from error
    return made


def with_kubelogin(text: str, login: str = "azurecli") -> str:
    """An AKS kubeconfig of an Entra cluster, with `kubelogin` as its exec plugin: no token is stored.

    Kubeconfigs with a client certificate (local accounts) are left as they are.
    """
    document = dict(_parse(text, "the cluster's kubeconfig"))
    users: list[dict[str, Any]] = []
    for item in _items(document, "users"):
        user = cast("Mapping[str, Any]", item.get("user") or {})
        if "client-certificate-data" in user or ("token" in user and "auth-provider" not in user):
            users.append(item)
            continue
        arguments = ["get-token", "--login", login, "--server-id", _AKS_SERVER_APP]
        plugin = {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "kubelogin",
            "args": arguments,
            "provideClusterInfo": False,
            "interactiveMode": "Never",
            "installHint": "install kubelogin: https://azure.github.io/kubelogin/install.html",
        }
        users.append({**item, "user": {"exec": plugin}})
    document["users"] = users
    return yaml.safe_dump(document, sort_keys=True)
