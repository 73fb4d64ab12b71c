#!/bin/sh
# Makes `make test-docker` possible on a Debian or Ubuntu machine where we are root: installs docker.io, and fetches
# docker-registry, which the tests unpack themselves. Exit code 0: ready; 3: not possible here, the last line says why.
set -eu

say() { echo "test-docker: $*"; }

if [ "$(id -u)" != 0 ]; then
  say "skipped: needs root to start a Docker engine of its own"
  exit 3
fi
for tool in apt-get dpkg-deb; do
  if ! command -v "$tool" > /dev/null; then
    say "skipped: needs $tool (Debian or Ubuntu), as the base image is made from their packages"
    exit 3
  fi
done
if ! command -v dockerd > /dev/null || ! command -v containerd > /dev/null; then
  # Nothing is started: the tests run an engine of their own.
  policy=/usr/sbin/policy-rc.d
  made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    made=1
  fi
  trap '[ -z "$made" ] || rm -f "$policy"' EXIT
  log=$(mktemp)
  if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends docker.io; } > "$log" 2>&1; then
    tail -n 5 "$log"
    rm -f "$log"
    say "skipped: apt-get could not install docker.io"
    exit 3
  fi
  rm -f "$log"
fi
# Control groups and overlay mounts are not everywhere: an engine that does not start is a reason to skip, not a failure.
if ! python=$(command -v python3); then
  say "skipped: needs python3"
  exit 3
fi
cd "$(dirname "$0")/.."
if ! "${PYTHON:-$python}" -c 'from tests.docker import daemon
with daemon.engine(), daemon.registry():
    pass'; then
  say "skipped: no Docker engine or no registry starts here (reason above)"
  exit 3
fi
say "ready"
