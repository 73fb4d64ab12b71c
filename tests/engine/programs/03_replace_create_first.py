#: up -> create=3
from tp import Res

a = Res("a", force="x")
Res("b", value=a.id)
#: preview -> same=1 replace=1 update=1
from tp import Res

a = Res("a", force="y")
Res("b", value=a.id)
#: up -> same=1 replace=1 update=1
#: up -> same=3
