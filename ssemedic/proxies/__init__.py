"""Other reverse proxies on a host: what HAProxy, Apache and Caddy do with a URL."""
