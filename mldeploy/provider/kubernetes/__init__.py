"""Resources and operations on Kubernetes: gates, rollouts, and why a rollout failed.

The official Python client comes with the extra ``mldeploy[kubernetes]``; it is imported when a cluster is first
spoken to.
"""
