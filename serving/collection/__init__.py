"""Data collection: sampled inputs and outputs of the service, kept for later analysis.

A worker hands complete records to the collector process over a UNIX socket and never waits for it. The collector, one a
replica, writes them to a folder or to Azure Blob Storage.
"""
