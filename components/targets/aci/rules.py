"""What Azure Container Instances accept, known before the first resource. Pure functions.

Source: https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits
"""

from __future__ import annotations

import re

from components.targets.aci.args import AciEndpointArgs

MOST_CPU, MOST_MEMORY = 4.0, 16.0
_LABEL = re.compile(r"(?!.*--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DNS = re.compile(r"[a-z][a-z0-9-]{3,61}[a-z0-9]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# Used by the service itself.
_RESERVED_PORTS = frozenset({22, 1025, 1026, 1027, 1028, 1029, 1030, 19390, 19080})


def validate(name: str, args: AciEndpointArgs) -> None:
    """Check everything that is plain.

    Raises:
        ValueError: what is wrong, and what is allowed.
    """
    if not _LABEL.fullmatch(args.group_name or name):
        raise ValueError(
            f"service {name!r}: the group's name {args.group_name or name!r}; allowed: 1-63 lowercase letters, "
            "digits and single hyphens inside"
        )
    _validate_size(name, args.cpu_cores, args.memory_gb)
    if not 1 <= args.port <= 65535 or args.port in _RESERVED_PORTS:
        raise ValueError(f"service {name!r}: port {args.port} is reserved by Container Instances or no port")
    if args.port < 1024:
        raise ValueError(
            f"service {name!r}: port {args.port}; the server runs without root: allowed: 1031 to 65535"
        )
    if args.dns_label is not None and not _DNS.fullmatch(args.dns_label):
        raise ValueError(
            f"service {name!r}: dns_label {args.dns_label!r}; allowed: 5-63 lowercase letters, digits and hyphens, "
            "starting with a letter"
        )
    if args.subnet_id is not None and args.dns_label is not None:
        raise ValueError(f"service {name!r}: dns_label is not possible in a subnet: the address is private")
    if args.zone is not None and args.zone not in ("1", "2", "3"):
        raise ValueError(f"service {name!r}: zone {args.zone!r}; allowed: 1, 2, 3")
    for variable in args.environment_variables:
        if not _VARIABLE.fullmatch(variable):
            raise ValueError(
                f"service {name!r}: environment variable {variable!r}; allowed: letters, digits and _"
            )
    if (args.log_analytics_id is None) != (args.log_analytics_key is None):
        raise ValueError(f"service {name!r}: log_analytics_id and log_analytics_key go together")
    if args.auth_enabled and (args.primary_key is None) and args.key_generation < (1, 1):
        raise ValueError(f"service {name!r}: key_generation {args.key_generation}; allowed: from 1")


def _validate_size(name: str, cpu: float, memory: float) -> None:
    for what, value in (("cpu_cores", cpu), ("memory_gb", memory)):
        # Manifests are checked by their schema; programs that use the component are not.
        if isinstance(value, bool) or not isinstance(value, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"service {name!r}: {what} {value!r} is no number")
    if not 1 <= cpu <= MOST_CPU or abs(cpu * 100 - round(cpu * 100)) > 1e-9:
        raise ValueError(
            f"service {name!r}: cpu_cores {cpu}; Container Instances allow 1 to {MOST_CPU:g} in steps of 0.01"
        )
    if not 0.1 <= memory <= MOST_MEMORY or abs(memory * 10 - round(memory * 10)) > 1e-9:
        raise ValueError(
            f"service {name!r}: memory_gb {memory}; Container Instances allow 0.1 to {MOST_MEMORY:g} in steps of 0.1"
        )
