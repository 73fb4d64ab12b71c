#: up -> create=4
from tp import Res

a = Res("a")
b = Res("b", value=a.id)
Res("c", value=b.id)
#: up -> same=2 update=2
from tp import Res

c = Res("c")
b = Res("b", value=c.id)
a = Res("a")
#: destroy -> delete=4
