#: up -> fail "in apply"
from tp import Res


def bad(v):
    raise ValueError("in apply")


Res("quick").computed.apply(bad)
slow = Res("slow", delay=1)
for i in range(3):
    slow = Res(f"after-{i}", delay=1, value=slow.computed)
#: up -> create=3 same=3
from tp import Res

Res("quick")
slow = Res("slow", delay=1)
for i in range(3):
    slow = Res(f"after-{i}", value=slow.computed)
