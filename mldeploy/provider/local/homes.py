"""What another home of this machine keeps: a command with the wrong ``MLDEPLOY_HOME`` must not take it for gone."""

from __future__ import annotations

from pathlib import Path

from mldeploy.home import home
from mldeploy.provider.framework.resource import ProvisionError


def not_elsewhere(what: str, recorded: str, claim: str) -> None:
    """Stop before something that another home still claims is forgotten, or made a second time.

    Args:
        what: how the message names it.
        recorded: the home that the state remembers; empty in states of before it was.
        claim: the claim's file in that home.

    Raises:
        ProvisionError: it is in that home; says which.
    """
    if not recorded or Path(recorded) == home() or not (Path(recorded) / claim).is_file():
        return
    raise ProvisionError(
        f"{what} is in {recorded}, not in {home()}: run the command again with MLDEPLOY_HOME={recorded}"
    )
