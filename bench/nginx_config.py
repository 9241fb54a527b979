"""A large nginx configuration, as a hoster has it."""

from __future__ import annotations

_HEAD = """\
user www-data;
worker_processes auto;
events { worker_connections 4096; }
http {
    sendfile on;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" $status';
    gzip_types text/plain text/css application/json;
"""
_SITE = r"""
    # site %(number)d
    server {
        listen 80;
        listen 443 ssl http2;
        server_name site%(number)d.example.org www.site%(number)d.example.org;
        ssl_certificate /etc/ssl/site%(number)d.pem;
        ssl_certificate_key /etc/ssl/site%(number)d.key;
        add_header Strict-Transport-Security "max-age=31536000" always;
        access_log /var/log/nginx/site%(number)d.log main; # one for each
        location / {
            proxy_pass http://127.0.0.1:%(port)d;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }
        location ^~ /events {
            proxy_pass http://127.0.0.1:%(port)d;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 1h;
        }
        location ~ \.php$ { return 404; }
    }
"""


def configuration(servers: int) -> str:
    """An nginx.conf with so many server blocks, 23 directives in each."""
    sites = (_SITE % {"number": n, "port": 8000 + n % 1000} for n in range(servers))
    return _HEAD + "".join(sites) + "}\n"
