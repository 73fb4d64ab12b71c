#: up -> create=4
import pulumi
from tp import Group, Res


def stack_wide(args):
    if args.type_ == "tp:index:Res":
        return pulumi.ResourceTransformResult(props={**args.props, "stamp": "t"}, opts=args.opts)
    return None


pulumi.runtime.register_resource_transform(stack_wide)


def protect(args):
    return pulumi.ResourceTransformResult(
        props=args.props,
        opts=pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(ignore_changes=["value"])),
    )


a = Res("a", value=1)
Group(
    "g",
    body=lambda g: {"x": Res("b", value=a.computed, opts=pulumi.ResourceOptions(parent=g)).id},
    opts=pulumi.ResourceOptions(transforms=[protect]),
)
#: up --expect-no-changes -> same=4
