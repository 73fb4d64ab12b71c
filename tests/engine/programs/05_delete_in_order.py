#: up -> create=5
from tp import Res

a = Res("a")
b = Res("b", value=a.id)
c = Res("c", value=b.id)
Res("d", value=[a.id, c.id])
#: up -> same=2 delete=3
from tp import Res

a = Res("a")
#: destroy -> delete=2
