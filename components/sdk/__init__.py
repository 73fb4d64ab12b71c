"""The typed Pulumi resources of the mldeploy provider."""
