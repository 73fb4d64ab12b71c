"""From Azure ML SDK v1 and CLI v1 to a manifest: reads v1's JSON files and Python scripts, never runs them."""

from mldeploy.migrate.conda import Advice, advise
from mldeploy.migrate.convert import Migration, Options, deploys, migrate
from mldeploy.migrate.findings import Finding, MigrateError, Outcome
from mldeploy.migrate.report import as_json, as_markdown, as_text, rows
from mldeploy.migrate.table import FIELDS, Field, by_name

__all__ = [
    "FIELDS",
    "Advice",
    "Field",
    "Finding",
    "MigrateError",
    "Migration",
    "Options",
    "Outcome",
    "advise",
    "as_json",
    "as_markdown",
    "as_text",
    "by_name",
    "deploys",
    "migrate",
    "rows",
]
