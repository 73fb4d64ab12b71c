"""Nobody reads models without logging in."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import UNKNOWN, at
from mldeploy_policies.rule import Rule, Settings

_CONTAINER = "azure-native:storage:BlobContainer"


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if args.resource_type == _CONTAINER:
        if at(args.props, "publicAccess", "None") not in ("None", UNKNOWN):
            yield "can be read by everybody"
        return
    if at(args.props, "allowBlobPublicAccess", True) is True:
        yield "allows containers that everybody can read"
    if at(args.props, "enableHttpsTrafficOnly", True) is False:
        yield "answers over plain HTTP"
    if at(args.props, "minimumTlsVersion", "TLS1_0") not in ("TLS1_2", "TLS1_3", UNKNOWN):
        yield "accepts TLS older than 1.2"


RULE = Rule(
    name="storage-not-public",
    description="Storage accounts and containers are not public and speak TLS 1.2 or later only.",
    fix="Set allowBlobPublicAccess to false, minimumTlsVersion to TLS1_2, publicAccess to None.",
    severity=Severity.CRITICAL,
    types=("azure-native:storage:StorageAccount", _CONTAINER),
    check=check,
)
