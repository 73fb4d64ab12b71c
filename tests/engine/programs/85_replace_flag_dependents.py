#: up -> create=4
from tp import Res
import pulumi

a = Res("a", value=1)
b = Res("b", value=a.id)
c = Res("c", force=b.id)
#: preview --replace {a} -> replace=1 same=2 update=1
#: up --replace {a} -> replace=1 same=2 update=1
#: up --replace {a} --target {a} -> replace=1 same=3
#: up --target {a} --replace {b} -> same=4
#: destroy -> delete=4
