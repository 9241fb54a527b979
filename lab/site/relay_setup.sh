#!/bin/sh
# Puts the relay (relay.py) where the notify service was: relay_setup.sh redis|postgresql|pgbouncer
# [NAME=VALUE ...]; further words are settings of the relay.
set -eu
kind=$1
shift
case $kind in
redis)
    systemctl start redis-server.service
    url=redis://127.0.0.1:6379/0
    ;;
postgresql | pgbouncer)
    systemctl start postgresql.service
    until runuser -u postgres -- psql -Xqc 'select 1' >/dev/null 2>&1; do sleep 0.2; done
    runuser -u postgres -- psql -Xqc "create role relay login password 'relay-4711'"
    runuser -u postgres -- createdb -O relay relay
    url=postgresql://relay:relay-4711@127.0.0.1:5432/relay
    ;;
esac
if [ "$kind" = pgbouncer ]; then
    cat >/etc/pgbouncer/pgbouncer.ini <<'INI'
[databases]
relay = host=127.0.0.1 port=5432 dbname=relay password=relay-4711
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
auth_type = trust
auth_file = /etc/pgbouncer/userlist.txt
pool_mode = transaction
server_idle_timeout = 60
logfile = /var/log/postgresql/pgbouncer.log
pidfile = /var/run/postgresql/pgbouncer.pid
INI
    echo '"relay" "relay-4711"' >/etc/pgbouncer/userlist.txt
    systemctl restart pgbouncer.service
    url=postgresql://relay:relay-4711@127.0.0.1:6432/relay
fi
umask 077
{
    echo "RELAY_BROKER_URL=$url"
    for setting in "$@"; do echo "$setting"; done
} >/etc/relay.env
cat >/etc/systemd/system/relay.service <<'UNIT'
[Unit]
Description=Relay (Server-Sent Events)

[Service]
Environment=PYTHONUNBUFFERED=1
EnvironmentFile=/etc/relay.env
ExecStart=/usr/bin/python3 /opt/relay.py
Restart=on-failure

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl disable --quiet --now notify.service
systemctl enable --quiet relay.service
systemctl restart relay.service
until curl -s -o /dev/null http://127.0.0.1:8000/health; do sleep 0.1; done
sleep 0.5 # the listener subscribes
