#!/bin/sh
# Install what tests run on loopback: nginx and nats-server, never started here; a browser; Node's npm.
set -eu

missing=""
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
command -v nats-server >/dev/null || [ -x /usr/sbin/nats-server ] || missing="$missing nats-server"
command -v chromium >/dev/null || missing="$missing chromium"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
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
        case $unit in nginx-light | nats-server) ;; *) continue ;; esac
        systemctl --quiet disable "${unit%-light}" 2>/dev/null || echo "setup: ${unit%-light} stays enabled" >&2
    done
fi
