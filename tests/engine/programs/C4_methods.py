#: preview -> create=6
import pulumi
from tp import Res


class Pair(pulumi.ComponentResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("tp:index:Pair", name, {"result": None, **props}, opts, True)

    def joined(self, more):
        return pulumi.runtime.call("tp:index:Pair/joined", {"__self__": self, "more": more}, self)


a = Res("a", value=1)
pair = Pair("pair", value="x")
joined = pair.joined(a.computed).apply(lambda found: found["joined"])
secret = pair.joined(pulumi.Output.secret("s")).apply(lambda found: found["joined"])
Res("b", value=joined)
pulumi.export("joined", joined)
pulumi.export("secret", secret)
#: up -> create=6
#: preview --expect-no-changes -> same=6
#: up -> fail "no method tp:index:Pair/other"
import pulumi


class Pair(pulumi.ComponentResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("tp:index:Pair", name, {"result": None, **props}, opts, True)


pair = Pair("pair", value="x")
pulumi.runtime.call("tp:index:Pair/other", {"__self__": pair, "more": 1}, pair)
#: destroy -> delete=6
