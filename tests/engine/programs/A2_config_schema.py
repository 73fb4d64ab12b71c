#: append Pulumi.yaml "config:\n  size:\n    type: integer\n    default: 3\n  names:\n    type: array\n    items: {type: string}\n    default: [a, b]\n  ratio: {default: 1.5}\n  flag: true\n  'tp:region': {value: eu}"
#: up -> create=2
import pulumi
from tp import Res

config = pulumi.Config()
Res("a", value=[config.get(key) for key in ("size", "names", "ratio", "flag")])
#: append Pulumi.dev.yaml "config:\n  size: 5"
#: up -> same=1 update=1
#: append Pulumi.dev.yaml "  names: [1]"
#: up -> fail "must be of type 'array<string>'"
