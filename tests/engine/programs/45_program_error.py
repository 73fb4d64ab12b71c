#: up -> fail "boom"
from tp import Res

Res("a", value=1)
raise ValueError("boom")
#: up -> fail "a clear message"
import pulumi
from tp import Res

Res("a", value=1)
raise pulumi.RunError("a clear message")
#: up -> fail "in apply"
from tp import Res


def bad(v):
    raise ValueError("in apply")


Res("b", value=Res("a", value=1).computed.apply(bad))
