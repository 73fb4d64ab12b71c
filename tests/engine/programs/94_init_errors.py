#: up -> fail create=1
from tp import Res

a = Res("a", fail=["init"], value=1)
Res("b", value=a.id)
#: refresh -> same=2
#: preview -> create=1 same=2
from tp import Res

a = Res("a", value=1)
Res("b", value=a.id)
#: up -> create=1 same=2
#: up -> fail same=1
from tp import Res

a = Res("a", force=1, fail=["init"])
#: up -> delete=1 same=1 update=1
from tp import Res

Res("a", force=1)
#: destroy -> delete=2
