#: up -> fail "never became ready"
from tp import Res

Res("a", value=1, fail=["init"])
#: up -> same=1 update=1
from tp import Res

Res("a", value=1, fail=[])
#: up -> same=2
