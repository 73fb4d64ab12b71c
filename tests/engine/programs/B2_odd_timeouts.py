#: up -> create=2
import pulumi
from tp import Res

Res("a", opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="-5m", update="+1h.5s", delete="1.5h")))
#: up -> same=1 update=1
import pulumi
from tp import Res

Res("a", value=1, opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(update="0")))
