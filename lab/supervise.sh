#!/bin/sh
# Runs one lab host until it powers off: mounts its root, boots it, boots it again on reboot.
#
#   supervise.sh NAME UUID NETNS ROOT OVERLAY_OPTIONS GUEST_CGROUP_FILE...
#
# Called inside a mount namespace of its own: when the last process dies, the mounts are gone.
set -eu
name=$1 uuid=$2 netns=$3 root=$4 options=$5
shift 5

mount -t overlay "lab-$name" -o "$options" "$root"
# systemd-nspawn keeps locks below it; they must not outlive the host.
mkdir -p /run/systemd
mount -t tmpfs -o mode=0755 tmpfs /run/systemd

# Inside the guest, before systemd starts: nspawn mounts cgroup v1 controllers read-only, and then
# MemoryMax, TasksMax and CPUQuota would be ignored without a word.
init='
for tree in /sys/fs/cgroup /sys/fs/cgroup/*; do
  if mountpoint -q "$tree"; then mount -o remount,bind,rw "$tree"; fi
done
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw /proc/sys/net
exec /lib/systemd/systemd'

while :; do
  code=0
  # Enter the guest's cgroups first: nspawn would otherwise put its guests into one and the same.
  # Enter the network first: the guest would otherwise see the network cards of this machine.
  sh -euc '
    init=$1 netns=$2 root=$3 name=$4 uuid=$5; shift 5
    for file; do echo $$ >"$file"; done
    exec nsenter --net="/run/netns/$netns" systemd-nspawn \
      --directory="$root" --machine="$name" --hostname="$name" --uuid="$uuid" \
      --register=no --keep-unit --quiet --console=pipe \
      --network-namespace-path="/run/netns/$netns" \
      --link-journal=no --resolv-conf=off --timezone=off \
      --capability=CAP_NET_ADMIN --kill-signal=SIGRTMIN+3 \
      /bin/sh -c "$init"
  ' sh "$init" "$netns" "$root" "$name" "$uuid" "$@" || code=$?
  # 133 is how nspawn says that the guest asked for a reboot.
  [ "$code" -eq 133 ] || exit "$code"
done
