"""What an engineer types on a host whose event stream is dead, one command after the other."""

from __future__ import annotations

_PID = "$(systemctl show --property MainPID --value notify)"

#: Every one succeeds on a healthy lab host, so a contender that skips one is noticed.
COMMANDS = (
    "systemctl status --no-pager nginx",
    "systemctl status --no-pager notify",
    "systemctl cat notify",
    "systemctl show nginx",
    "systemctl show notify",
    "systemctl list-units --failed --no-pager",
    "journalctl --no-pager --unit nginx --lines 200",
    "journalctl --no-pager --unit notify --lines 200",
    "tail --lines 200 /var/log/nginx/error.log",
    "tail --lines 200 /var/log/nginx/access.log",
    "nginx -V",
    "nginx -t",
    "nginx -T",
    "ss -ltnp",
    "ss -tan",
    "ss -s",
    "df -h",
    "df -i",
    "free -m",
    "uptime",
    "ps aux",
    f"sh -c 'cat /proc/{_PID}/limits'",
    f"sh -c 'ls /proc/{_PID}/fd'",
    "timedatectl show",
    "curl --silent --show-error --max-time 5 http://127.0.0.1:8000/health",
)
