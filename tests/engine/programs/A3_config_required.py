#: append Pulumi.yaml "config:\n  token:\n    type: string\n    secret: true\n  more: {description: needed}"
#: up -> fail "missing configuration values 'more' and 'token'"
import pulumi
from tp import Res

Res("a", value=pulumi.Config().get("token"))
#: append Pulumi.dev.yaml "config:\n  more: x\n  token: clear"
#: up -> fail "must be encrypted"
