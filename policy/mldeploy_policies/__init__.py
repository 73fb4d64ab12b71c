"""Rules for stacks of models served by mldeploy. Stands alone: needs pulumi-policy and PyYAML, not mldeploy."""
