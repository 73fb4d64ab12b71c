"""Projects of the lifecycle tests, for tests of the command line."""

from tests.lifecycle.conftest import make_project, project  # noqa: F401 - fixtures
