"""A project and its stacks as files: Pulumi.yaml, Pulumi.<stack>.yaml, and the secrets in them."""
