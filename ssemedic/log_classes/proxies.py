"""What nginx, HAProxy, Apache, the kernel and systemd write.

nginx's wordings are those of its source (ngx_http_upstream.c, ngx_connection.c,
ngx_http_limit_*_module.c); each begins with the line's own date, so that a quotation elsewhere
is none.
"""

from __future__ import annotations

from .signature import Signature

_NGINX = r"^\d{4}/\d\d/\d\d [\d:]{8} \[(?:warn|error|crit|alert|emerg)\] \d+#\d+: (?:\*\d+ )?"

SIGNATURES = (
    Signature(
        "upstream_headers",
        "nginx",
        "no headers from the app in time",
        "timed out",
        _NGINX + r"upstream timed out \(110: [^)]{0,60}\) while (?:SSL handshaking|connecting) to"
        r" upstream|" + _NGINX + r"upstream timed out \(110: [^)]{0,60}\) while reading response"
        r" header from upstream",
    ),
    Signature(
        "upstream_idle",
        "nginx",
        "the app's stream went idle",
        "timed out",
        _NGINX + r"upstream timed out \(110: [^)]{0,60}\) while reading upstream",
    ),
    Signature(
        "auth",
        "nginx",
        "auth_request failed",
        "auth request",
        _NGINX + r"auth request unexpected status: \d+",
        reason="other",
    ),
    Signature(
        "auth",
        "nginx",
        "password refused",
        "user ",
        _NGINX + r"user \"[^\"]{0,64}\"(?:: password mismatch| was not found in)",
        reason="other",
    ),
    Signature(
        "rejected",
        "nginx",
        "limit_conn or limit_req reached",
        "limiting ",
        _NGINX + r"limiting (?:connections by zone|requests, excess)",
    ),
    Signature(
        "rejected",
        "nginx",
        "nobody listens behind it",
        "refused",
        _NGINX + r"connect\(\) failed \(111: [^)]{0,60}\) while connecting to upstream",
    ),
    Signature(
        "rejected",
        "nginx",
        "the app's socket cannot be opened",
        "connect() to unix:",
        _NGINX + r"connect\(\) to unix:\S{1,200} failed \(\d+: ",
    ),
    Signature(
        "rejected",
        "nginx",
        "no live upstreams",
        "no live upstreams",
        _NGINX + r"no live upstreams while connecting to upstream",
    ),
    Signature(
        "rejected",
        "nginx",
        "access forbidden by rule",
        "access forbidden",
        _NGINX + r"access forbidden by rule",
    ),
    Signature(
        "stream",
        "nginx",
        "the app closed early",
        "prematurely closed",
        _NGINX + r"upstream prematurely closed connection while",
    ),
    Signature(
        "stream",
        "nginx",
        "the app reset the connection",
        "() failed (104",
        _NGINX
        + r"(?:recv|readv|writev|send)\(\) failed \(104: [^)]{0,60}\) while (?:reading|sending)",
    ),
    Signature(
        "stream",
        "nginx",
        "the app's answer is not HTTP",
        "upstream sent",
        _NGINX + r"upstream sent (?:invalid|no valid|too big|duplicate|unsupported|\"|more data)",
    ),
    Signature(
        "limit",
        "nginx",
        "worker_connections used up",
        "worker_connections",
        _NGINX + r"\d+ worker_connections are not enough",
    ),
    Signature(
        "limit",
        "nginx",
        "no file descriptor left",
        "Too many open files",
        _NGINX + r"(?:accept4?|socket|open|epoll_create|pipe)\(\)[^(]{0,200}failed \(24: ",
    ),
    Signature(
        "limit",
        "haproxy",
        "its limit was reached",
        " limit",
        r"^Proxy \S+ reached (?:process|system) (?:FD|memory|connection) limit"
        r"|^Proxy \S+ reached the configured maximum connection limit",
    ),
    Signature(
        "rejected",
        "haproxy",
        "no server behind it",
        "no server available",
        r"(?:backend|proxy) '?\S{1,80}'? has no server available!",
    ),
    Signature(
        "upstream_headers",
        "haproxy",
        "no headers from the app in time",
        " 504 ",
        r" \S+/\S+ -?\d+/-?\d+/-?\d+/-1/\+?\d+ 504 \d+ - - sH",
        info=True,
    ),
    Signature(
        "upstream_idle",
        "haproxy",
        "the app's stream went idle",
        " - - sD",
        r" \S+/\S+ \d+/\d+/\d+/\d+/\+?\d+ 200 \d+ - - sD",
        info=True,
    ),
    Signature(
        "limit",
        "apache",
        "MaxRequestWorkers reached",
        "MaxRequestWorkers",
        r"\[mpm_\w+:error\] .{0,60}AH0\d+: server reached MaxRequestWorkers",
    ),
    Signature(
        "rejected",
        "apache",
        "nobody listens behind it",
        "AH0",
        r"\[proxy(?:_\w+)?:error\] .{0,80}AH0(?:0957|1114|1084|0940):",
    ),
    Signature(
        "upstream_idle",
        "apache",
        "the app did not answer in time",
        "AH0",
        r"\[proxy_http:error\] .{0,120}The timeout specified has expired.{0,120}AH011(?:02|10):",
    ),
    Signature(
        "stream",
        "apache",
        "the app's answer could not be read",
        "AH0",
        r"\[proxy_http:error\] .{0,160}AH01(?:102|110|097|095):",
    ),
    Signature(
        "oom",
        "kernel",
        "a process was killed",
        "of memory: Killed",
        r"(?:^|kernel: )(?:Memory cgroup out|Out) of memory: Killed process \d+",
    ),
    Signature(
        "oom",
        "kernel",
        "a cgroup's memory ran out",
        "emory cgroup out of memory",
        r"(?:^|kernel: )Memory cgroup out of memory: Kill",
    ),
    Signature(
        "oom",
        "kernel",
        "oom-kill",
        "oom-kill:",
        r"(?:^|kernel: )oom-kill:constraint=",
    ),
    Signature(
        "oom",
        "systemd",
        "the service was killed",
        "OOM killer",
        r"A process of this unit has been killed by the OOM killer",
        info=True,
    ),
    Signature(
        "oom",
        "systemd",
        "the service failed by it",
        "oom-kill",
        r"\S+\.service: Failed with result 'oom-kill'",
    ),
    Signature(
        "limit",
        "kernel",
        "conntrack is full",
        "table full",
        r"nf_conntrack: (?:nf_conntrack: )?table full, dropping packet",
    ),
    Signature(
        "limit",
        "kernel",
        "tasks of a unit used up",
        "rejected by pids",
        r"cgroup: fork rejected by pids controller in ",
    ),
    Signature(
        "limit",
        "kernel",
        "the listen queue overflows",
        "SYN flooding",
        r"TCP: request_sock_TCP: Possible SYN flooding on port",
    ),
    Signature(
        "limit",
        "kernel",
        "no file descriptor left on the host",
        "file-max limit",
        r"VFS: file-max limit \d+ reached",
    ),
)
