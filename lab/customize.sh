#!/bin/sh
# Turns a fresh Debian tree into the lab's base image: users, keys, units.
#
#   customize.sh ROOT SECRETS
set -eu
root=$1 secrets=$2

in_root() { chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

# How this machine reaches its mirror means nothing to a host without a way out.
rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/apt/apt.conf"

# medic repairs (sudo without a password), plain may only look.
for user in medic plain; do
  in_root useradd --create-home --shell /bin/bash "$user"
  install -d -m 0700 "$root/home/$user/.ssh"
  install -m 0600 "$secrets/id_ed25519.pub" "$root/home/$user/.ssh/authorized_keys"
  in_root chown -R "$user:$user" "/home/$user"
done
printf 'medic ALL=(ALL) NOPASSWD: ALL\n' >"$root/etc/sudoers.d/medic"
chmod 0440 "$root/etc/sudoers.d/medic"

# One host key for all: known_hosts can be complete before the first host boots.
rm -f "$root"/etc/ssh/ssh_host_*
install -m 0600 "$secrets/host_ed25519" "$root/etc/ssh/ssh_host_ed25519_key"
install -m 0644 "$secrets/host_ed25519.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
cat >"$root/etc/ssh/sshd_config.d/lab.conf" <<'EOF'
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
UseDNS no
MaxStartups 100:30:200
MaxSessions 50
EOF

# Each host gets its machine-id at boot; journald keeps its files only where the folder exists.
: >"$root/etc/machine-id"
mkdir -p "$root/var/lib/dbus" "$root/var/log/journal"
ln -sf /etc/machine-id "$root/var/lib/dbus/machine-id"
rm -rf "$root"/var/log/journal/*
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"

# The broker listens on loopback only, with its monitoring page.
cat >"$root/etc/nats-server.conf" <<'EOF'
# NATS for the notify service; nothing outside this host needs it.
listen: 127.0.0.1:4222
http: 127.0.0.1:8222
EOF

in_root systemctl --quiet enable nginx.service ssh.service nats-server.service
in_root systemctl --quiet disable \
  redis-server.service postgresql.service pgbouncer.service nftables.service \
  apache2.service haproxy.service caddy.service
rm -f "$root"/etc/nginx/modules-enabled/*modsecurity*
for unit in "$root"/lib/systemd/system/php*-fpm.service; do
  in_root systemctl --quiet disable "${unit##*/}"
done
in_root systemctl --quiet mask \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer man-db.timer logrotate.timer \
  getty.target getty@.service console-getty.service systemd-udevd.service \
  systemd-firstboot.service systemd-networkd-wait-online.service
in_root systemctl --quiet set-default multi-user.target
