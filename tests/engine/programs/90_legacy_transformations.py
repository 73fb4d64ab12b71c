#: up -> create=5
import pulumi
from tp import Group, Res


def tag(args):
    if args.type_ == "tp:index:Res":
        return pulumi.ResourceTransformationResult({**args.props, "tag": "x"}, pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=args.name == "p")))


def note(args):
    return pulumi.ResourceTransformResult(props={**args.props, "note": "y"}, opts=pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(ignore_changes=["value"])))


pulumi.runtime.register_stack_transformation(tag)
Res("a", value=1)
Res("p", value=1, opts=pulumi.ResourceOptions(transforms=[note]))
Group("g", body=lambda g: Res("c", value=1, opts=pulumi.ResourceOptions(parent=g)) and None, opts=pulumi.ResourceOptions(transforms=[lambda a: pulumi.ResourceTransformResult(props={**a.props, "deep": 1}, opts=a.opts) if a.type_ == "tp:index:Res" else None]))
#: up -> fail same=1 update=2
import pulumi
from tp import Group, Res


def note(args):
    return pulumi.ResourceTransformResult(props={**args.props, "note": "y"}, opts=pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(ignore_changes=["value"])))


def bad(args):
    raise ValueError("transform failed")


a = Res("a", value=2)
p = Res("p", value=2, opts=pulumi.ResourceOptions(transforms=[note]))
Res("q", opts=pulumi.ResourceOptions(transforms=[bad], depends_on=[a, p]))
#: destroy -> delete=5
