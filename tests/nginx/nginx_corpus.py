"""Configurations as people write them, and as they hardly should."""
# ruff: noqa: E501 - a line of a configuration is as long as it is

from __future__ import annotations

PLAIN = {
    "empty": b"",
    "only a comment": b"# nothing here",
    "blank lines": b"\n\n\r\n\t \n",
    "debian default": b"""user www-data;
worker_processes auto;
pid /run/nginx.pid;
include /etc/nginx/modules-enabled/*.conf;

events {
\tworker_connections 768;
\t# multi_accept on;
}

http {

\t##
\t# Basic Settings
\t##

\tsendfile on;
\ttcp_nopush on;
\ttypes_hash_max_size 2048;
\tinclude /etc/nginx/mime.types;
\tdefault_type application/octet-stream;
\tssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; # Dropping SSLv3, ref: POODLE
\taccess_log /var/log/nginx/access.log;
\tgzip on;
\tinclude /etc/nginx/conf.d/*.conf;
\tinclude /etc/nginx/sites-enabled/*;
}
""",
    "certbot": b"""server {
    server_name chat.example.org;
    location / { proxy_pass http://127.0.0.1:8000; }

    listen [::]:443 ssl ipv6only=on; # managed by Certbot
    listen 443 ssl; # managed by Certbot
    ssl_certificate /etc/letsencrypt/live/chat.example.org/fullchain.pem; # managed by Certbot
}
server {
    if ($host = chat.example.org) {
        return 301 https://$host$request_uri;
    } # managed by Certbot
    listen 80;
    server_name chat.example.org;
    return 404; # managed by Certbot
}
""",
    "crlf": b"server {\r\n    listen 80;\r\n    location /events {\r\n        proxy_pass http://a;\r\n    }\r\n}\r\n",
    "one line": b"server{listen 80;location /{return 200 ok;}location = /x{deny all;}}",
    "no newline at the end": b"server { listen 80; }",
    "quotes": b"""log_format main '$remote_addr - "$request" '
                '\\'quoted\\' $status';
add_header X-A "a;b{c}#d";
add_header X-B 'it"s';
return 200 "tab\\there\\nnewline \\"q\\" back\\\\slash \\d";
""",
    "quoted names": b"'listen' \"80\"; \"server_name\" 'a b';",
    "empty strings": b"proxy_set_header Connection \"\"; set $a '';",
    "variables with braces": b"set $x ${host}x${uri}; return 200 a${b}c; map ${args} $y { default 1; }",
    "escapes outside quotes": b'rewrite ^/a\\ b\\;c\\{2\\}$ /x\\"y last; location ~ \\.php$ { }',
    "braces in a regex": b"location ~ \"^/[a-z]{2,3}/\" { return 204; } rewrite '^/(\\d{4})$' /y/$1 last;",
    "hash inside words": b"return 302 /page#anchor; set $a b#c; # real comment ; } {\nset $d e;",
    "comment after brace": b"server { # one\n listen 80; # two ; }\n} # three",
    "comment between words": b"gzip_types # list\n  text/plain # a\n  text/css;\n",
    "many words over lines": b"proxy_cache_path /x\n\tlevels=1:2\n\tkeys_zone=a:1m\n\n\tinactive=60m;",
    "nested locations": b"location /a { location /a/b { location ~ /c$ { return 1; } } return 2; }",
    "map": b"""map $http_upgrade $connection_upgrade {
    default upgrade;
    ''      close;
    ~*^web  "x;y";
    volatile;
}
""",
    "types": b"types { text/html html htm shtml; text/event-stream es; }",
    "geo": b"geo $country { default zz; 127.0.0.0/24 us; include geo.conf; 10.1.0.0/16 uk; }",
    "split clients": b'split_clients "${remote_addr}AAA" $variant { 0.5% .one; 2.0% .two; * ""; }',
    "limit_except": b"location / { limit_except GET { allow 10.0.0.0/8; deny all; } }",
    "if forms": b"""if ($request_method = POST) { return 405; }
if ($args ~ post=140) { rewrite ^ http://example.com/; }
if (-f $request_filename) { break; }
if ( $slow ) { limit_rate 10k; }
if ($http_cookie ~* "id=([^;]+)(?:;|$)") { set $id $1; }
""",
    "upstreams": b"""upstream app { least_conn; server unix:/run/app.sock fail_timeout=0;
  server [2001:db8::1]:8080 weight=5 backup; server a.example:80 resolve; keepalive 16; }
""",
    "latin-1": b'server_name caf\xe9.example; # \xe4\xf6\xfc\nadd_header X-Y "\xff\xfe";',
    "utf-8": 'server_name b\u00fccher.example; # \u2713 \U0001f600\nset $e "\u20ac";'.encode(),
    "nul and control": b'set $a "x\x00y\x1b[31m"; # \x07\nset $b z\x0bw;',
    "carriage return alone": b"set $a b;\rset $c d;\r# e\nset $f g;",
    "stream": b"stream { server { listen 53 udp; proxy_pass dns; } upstream dns { server 10.0.0.1:53; } }",
    "mail": b"mail { server_name m.example; server { listen 25; protocol smtp; } }",
    "trailing spaces": b"listen 80 ;   \nserver_name   a   b  ;\t\n",
    "dollar at the end": b"rewrite ^/a$ /b$; location ~ ^/x$ { } set $y $$;",
    "parenthesis after a quote": b"if ($a = \"x\") { return 1; } if ($b ~ 'y' ) { return 2; }",
    "closing brace in a word": b"set $a x}y;",
    "long": b"server_names_hash_max_size 4096;\n" * 500,
    "fragment of a location": b"proxy_set_header Host $host;\nproxy_set_header X-Real-IP $remote_addr;\n",
    "windows mix": b"a b;\r\nc d;\n\r\ne {\r\n}\n",
    "deep": b"a { " * 100 + b"x y; " + b"} " * 100,
    "semicolons close up": b"a;b;c d;e{f;}g;",
    "leading byte order mark as part of a word": b"\xef\xbb\xbfuser www-data;\n",
}

LUA = {
    "lua": b"""location / {
    content_by_lua_block {
        -- a comment with } and "
        local s = "}" .. '{' .. [[ } ]] .. [==[ ]] } ]==]
        --[[ long } comment ]]
        if s then ngx.say({a = {1, 2}}) end
    }
    access_log off;
}
""",
    "lua with an argument": b"set_by_lua_block $x { return ngx.var.a .. '}' } set $y z;",
    "lua one line": b"init_by_lua_block{x={}}\nuser a;",
}

BROKEN = {
    b"server {\n listen 80;\n": 'broken.conf:1: block "server" is not closed by "}"',
    b"listen 80\n": 'broken.conf:1: "listen" is not ended by ";" before the file ends',
    b"a b;\n}\n": "broken.conf:2: unexpected '}'",
    b"a b;\n;\n": "broken.conf:2: unexpected ';'",
    b"\n{ }": "broken.conf:2: unexpected '{'",
    b"a\nb }": "broken.conf:2: unexpected '}'",
    b'a b;\nc "d;\n': "broken.conf:2: quoted string is never closed",
    b"a 'b'c;": "broken.conf:1: unexpected 'c'",
    b"a ${ }": "broken.conf:1: unexpected '}'",
    b"a x${ }": "broken.conf:1: unexpected '}'",
    b"a { b }": "broken.conf:1: unexpected '}'",
    b"content_by_lua_block { x = { ": 'broken.conf:1: Lua block is not closed by "}"',
    b"a {" * 300: "broken.conf:1: blocks nest deeper than 200",
}
