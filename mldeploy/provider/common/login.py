"""A login to a private registry, as several resources take it."""

from __future__ import annotations

from mldeploy.provider.framework.declare import Declaration, In, field


class RegistryLogin(Declaration):
    """A user of a private registry."""

    address: In[str] = field("The registry's host name.")
    username: In[str] = field("Who logs in.")
    password: In[str] = field("The password.", secret=True)
