"""Everything that a stack's life leaves behind or prints, to be searched for what must be nowhere."""

from tests.lifecycle.conftest import processes_of


class Watch:
    """Everything that a stack's life leaves behind or prints."""

    def __init__(self, project):
        self.project, self.texts = project, {}

    def run(self, *arguments, check=True):
        done = self.project.run(*arguments, check=check)
        self.texts[f"{len(self.texts)} mldeploy {' '.join(arguments)}"] = done.stdout + done.stderr
        self.look()
        return done

    def look(self):
        """At arguments and environments of all processes, and at every file but those with the keys (mode 0600)."""
        for process in processes_of(self.project.home):
            self.texts[f"process {process.pid}"] = "\n".join(process.cmdline())
            self.texts[f"environment {process.pid}"] = "\n".join(process.environ().values())
        for folder in (self.project.root, self.project.home):
            for path in folder.rglob("*"):
                if not path.is_file() or "environments" in path.parts:
                    continue
                if path.name == "keys.json":
                    assert path.stat().st_mode & 0o077 == 0
                    continue
                try:
                    self.texts[str(path)] = path.read_text(errors="replace")
                except FileNotFoundError:  # a replica that is leaving takes its files along
                    continue
