#: append Pulumi.yaml "options:\n  refresh: always"
#: up -> create=3
from tp import Res

Res("a", value=1)
Res("b", value=1)
#: edit a-1 value=5
#: drop b-1
#: preview --parallel 1 -> same=1 update=1 create=1
#: up --parallel 1 -> same=1 update=1 create=1
#: destroy -> delete=3
