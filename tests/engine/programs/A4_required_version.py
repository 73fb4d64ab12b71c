#: append Pulumi.yaml "requiredPulumiVersion: '>=3.100.0 <4.0.0'"
#: up -> create=1
import pulumi

pulumi.runtime.require_pulumi_version(">=3.1.0")
#: up -> fail "3.1.0"
import pulumi

pulumi.runtime.require_pulumi_version("<3.1.0")
#: append Pulumi.yaml "description: x"
#: up -> same=1
import pulumi
