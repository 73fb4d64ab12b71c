#: up -> create=4
from tp import Res

a = Res("a", dbr="x")
b = Res("b", force=a.id)
Res("c", value=b.id)
#: preview -> same=1 replace=2 update=1
from tp import Res

a = Res("a", dbr="y")
b = Res("b", force=a.id)
Res("c", value=b.id)
#: up -> same=1 replace=2 update=1
#: up -> same=4
