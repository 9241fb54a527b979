#!/bin/sh
# Install the servers that tests run against on loopback: nginx and nats-server, never started here.
set -eu

missing=""
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
command -v nats-server >/dev/null || [ -x /usr/sbin/nats-server ] || missing="$missing nats-server"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: missing:$missing; as root on Debian: apt-get install$missing" >&2
    exit 2
fi
echo "setup: installing$missing"
# Debian starts a server as soon as it is installed; a policy of 101 says not to (deb-systemd-invoke(1p)).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get -qq update
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
if [ -d /run/systemd/system ]; then
    for unit in $missing; do
        systemctl --quiet disable "${unit%-light}" 2>/dev/null || echo "setup: ${unit%-light} stays enabled" >&2
    done
fi
