#: up -> create=2
import sys
from tp import Res

Res("a")
sys.exit(0)
#: up -> fail create=1 same=1
import sys
from tp import Res

Res("b")
sys.exit(3)
#: up -> delete=1 same=2
import pulumi
from tp import Res

Res("a")
pulumi.log.warn("careful")
pulumi.log.error("not good")
#: up -> fail same=2
import pulumi
from tp import Res

Res("a")
pulumi.export("x", 1)
raise pulumi.RunError("no")
#: up -> fail same=1
import no_such_module
#: up -> fail same=1
def (
#: up -> create=1 delete=1 same=1
import asyncio
import pulumi
from tp import Res


async def main():
    await asyncio.sleep(0.05)
    a = Res("late")
    return {"id": a.id}


pulumi.run(main)
#: up -> fail create=1 same=1
import pulumi
from tp import Res


async def main():
    raise ValueError("in main")


Res("a")
pulumi.run(main)
#: destroy -> delete=3
