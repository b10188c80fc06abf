#!/bin/sh
# Install what the tests start: PostgreSQL, Ceph's S3 gateway and Prometheus, from Debian's packages.
# Does nothing when all of it is there; says plainly what is wanting when it may not install.
set -eu

missing=""
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
for pair in ceph-mon:ceph-mon ceph-osd:ceph-osd radosgw:radosgw ceph:ceph-common prometheus:prometheus promtool:prometheus; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests that start real servers need these Debian packages:$missing" >&2
    echo "They cannot be installed from here (no root, or no apt-get). Install them as root with" >&2
    echo "    apt-get install --no-install-recommends$missing" >&2
    if [ -n "${VANKHO_MUST_RUN:-}" ]; then
        exit 1
    fi
    echo "Going on without them: the tests that need them are skipped, each with its reason." >&2
    exit 0
fi

echo "Installing for the tests:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
