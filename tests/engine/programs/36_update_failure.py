#: up -> create=2
from tp import Res

Res("a", value=1)
#: up --parallel 1 -> fail "the full reason"
from tp import Res

Res("a", value=2, fail=["update"])
#: up -> same=1 update=1
from tp import Res

Res("a", value=3)
