"""What a service on a batch target has of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mldeploy.manifest.base import Pattern, Positive, Seconds, Section, Text


class RetrySettings(Section):
    """What happens to a mini batch that fails."""

    max_retries: Annotated[int, Field(ge=0)] = 3
    """How often it is tried again."""
    timeout: Seconds = 30
    """How long one `run(mini_batch)` may take, in seconds or as `5m`."""


class Schedule(Section):
    """When the batch runs by itself."""

    cron: Annotated[Text, Pattern(r"\S+( \S+){4}", "five fields, such as 0 3 * * *")]
    """Minute, hour, day of month, month, day of week: `0 3 * * *`."""
    time_zone: Text = "UTC"
    """The time zone of `cron`, as Windows names it: `W. Europe Standard Time`."""
    input: Text = Field(examples=["azureml://datastores/workspaceblobstore/paths/incoming/"])
    """The folder to score."""
    enabled: bool = True
    """Whether it runs."""


class Batch(Section):
    """How files become mini batches and answers. v1: `ParallelRunConfig`."""

    mini_batch_size: Positive = 10
    """Files of one `run(mini_batch)`."""
    error_threshold: Annotated[int, Field(ge=-1)] = -1
    """How many files may fail before the job does; -1: any number."""
    instance_count: Positive = 1
    """Nodes of one job. v1: `node_count`."""
    max_concurrency_per_instance: Positive = 1
    """Processes on one node. v1: `process_count_per_node`."""
    retry_settings: RetrySettings = RetrySettings()
    """What happens to a mini batch that fails."""
    output_action: Literal["append_row", "summary_only"] = "append_row"
    """`append_row`: one file with all answers; `summary_only`: the script writes its own files."""
    output_file_name: Annotated[Text, Pattern(r"[^/\\]+", "a file name without a folder")] = "predictions.csv"
    """The file of `append_row`. v1: `append_row_file_name`."""
    logging_level: Literal["debug", "info", "warning"] = "info"
    """How much the job logs."""
    schedule: Schedule | None = None
    """When the batch runs by itself. Default: when it is called."""
