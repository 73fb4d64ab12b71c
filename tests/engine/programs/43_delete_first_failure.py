#: up -> create=2
from tp import Res

Res("a", dbr=1)
#: up -> fail "the full reason"
from tp import Res

Res("a", dbr=2, fail=["create"])
#: up -> same=1 replace=1
from tp import Res

Res("a", dbr=2)
#: up -> same=2
