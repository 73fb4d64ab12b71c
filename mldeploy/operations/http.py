"""Scoring over plain REST, for every target that has a scoring URI this machine can reach."""

from __future__ import annotations

from mldeploy.operations.model import Answer, Keys, OperationError


def post(
    uri: str, body: bytes, content_type: str, keys: Keys | None, timeout: float, verify: bool = True
) -> Answer:
    """POST ``body`` to ``uri``; ``timeout`` in seconds for the whole answer.

    Raises:
        OperationError: no answer came.
    """
    import httpx  # takes a while, and most commands need it not

    headers = {"Content-Type": content_type}
    if keys is not None:
        headers["Authorization"] = f"Bearer {keys.primary}"
    try:
        response = httpx.post(
            uri, content=body, headers=headers, timeout=timeout, verify=verify, trust_env=False
        )
    except httpx.HTTPError as error:
        raise OperationError(
            f"{uri} did not answer: {error}; see `mldeploy status` and `mldeploy logs`"
        ) from None
    return Answer(response.status_code, response.headers.get("content-type", ""), response.content)
