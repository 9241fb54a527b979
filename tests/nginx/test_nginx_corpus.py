"""The model beside two others: crossplane's, and nginx's own verdict."""

from __future__ import annotations

import random
import re
from pathlib import Path

import crossplane
import pytest
from nginx_corpus import PLAIN
from real_nginx import RealNginx, main_conf
from test_nginx_lexer import from_crossplane, normalised, rebuilt, shape

from ssemedic.nginx import ConfigError, files_on_disk, parse, read_tree, tokens, tree_of
from tests.lint.sites import PREFIX, Site, healthy

SITES = range(150)
MAIN = f"{PREFIX}/nginx.conf"
#: What of nginx's complaints is about the form of a file, whatever the directives are.
FORM = re.compile(r'unexpected (?:"[^"]*"|end of file)(?!.*in condition)|too long parameter')


def on_disk(site: Site, root: Path) -> Path:
    for path, content in site.files.items():
        file = root / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.replace(PREFIX.encode(), f"{root}{PREFIX}".encode()))
    return root / MAIN[1:]


def test_150_realistic_configurations_lose_no_byte() -> None:
    for seed in SITES:
        for path, content in healthy(seed).files.items():
            assert b"".join(token.raw for token in tokens(path, content)) == content, seed
            assert rebuilt(parse(path, content)) == content, seed


def test_crossplane_finds_the_same_files_with_the_same_directives(tmp_path: Path) -> None:
    for seed in SITES:
        main = on_disk(healthy(seed), tmp_path / str(seed))
        payload = crossplane.parse(str(main), strict=False, check_ctx=False, check_args=False)
        assert payload["errors"] == [], seed
        tree = read_tree(str(main), lambda path: Path(path).read_bytes(), files_on_disk)
        theirs = {config["file"]: config["parsed"] for config in payload["config"]}
        assert set(theirs) == set(tree.sources), seed
        for path, source in tree.sources.items():
            ours = normalised(shape(source.directives))
            assert ours == from_crossplane(theirs[path]), (seed, path)


def test_nginx_and_the_model_agree_on_files_that_somebody_broke(
    nginx: RealNginx, tmp_path: Path
) -> None:
    """What nginx loads, we read; what we refuse, nginx refuses; what nginx calls
    malformed, we refuse."""
    whim, main = random.Random(4), tmp_path / "nginx.conf"
    seen = {"loaded": 0, "refused by both": 0, "refused for its meaning": 0}
    pieces = [b";", b"{", b"}", b'"', b"'", b"\\", b"#", b" ", b"\n", b"${", b"$", b"x", b"; "]
    for number in range(400):
        good = main_conf(tmp_path, SERVERS[number % len(SERVERS)]).encode()
        begin = good.index(b"http {")
        content = bytearray(good)
        for _ in range(whim.randint(1, 2)):
            at = whim.randrange(begin, len(content))
            if whim.random() < 0.5:
                del content[at : at + 1]
            else:
                content[at:at] = whim.choice(pieces)
        main.write_bytes(bytes(content))
        done = nginx.test(main)
        try:
            tree_of({MAIN: bytes(content)}, MAIN)
            ours = ""
        except ConfigError as error:
            ours = str(error)
        if done.returncode == 0:
            assert ours == "", (bytes(content), done.stderr)
            seen["loaded"] += 1
        elif ours:
            seen["refused by both"] += 1
        else:
            assert not FORM.search(done.stderr), (bytes(content), done.stderr)
            seen["refused for its meaning"] += 1
    assert min(seen.values()) >= 40, seen


SERVERS = (
    """
    map $http_upgrade $up { default upgrade; '' close; "~*x y" z; }
    upstream app { server 127.0.0.1:8000 weight=2; keepalive 4; }
    server {
        listen 127.0.0.1:8081; # one
        server_name "a.example.org" "~^b\\d{1,2}\\.example\\.org$";
        location ~ "^/x{1,2}/(?<id>[^;]+)" { return 200 'id "$id"'; }
        location /events { proxy_pass http://app; proxy_set_header Connection ""; }
    }
    """,
    """
    log_format t '$remote_addr "$request" \\'x\\' ${status}ms';
    server { listen 127.0.0.1:8082; if ($args ~ "a=(.*)") { set $a ${arg_a}b; return 204; }
      location / { add_header X "a;b{c}#d"; try_files $uri @app; }
      location @app { proxy_pass http://127.0.0.1:8000; proxy_read_timeout 1h; } }
    """,
    """
    # a; comment { with } all "of' it
    gzip_types text/css # more to come
        application/json;
    server { listen 127.0.0.1:8083; location = /a { return 301 /b#c; }
      location ^~ /c\\ d { return 200 "t\\tn\\nq\\"b\\\\"; } }
    """,
)


@pytest.mark.parametrize("text", SERVERS)
def test_nginx_loads_them_before_they_are_broken(
    text: str, nginx: RealNginx, tmp_path: Path
) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(main_conf(tmp_path, text))
    done = nginx.test(main)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PLAIN)
def test_a_fragment_is_the_same_alone_and_included(name: str) -> None:
    """A snippet has its own lines and offsets, wherever it is brought in."""
    content = PLAIN[name]
    files = {MAIN: b"http {\n  include part;\n}", f"{PREFIX}/part": content}
    tree = tree_of(files, MAIN)
    (http,) = tree.blocks("http")
    alone = parse(f"{PREFIX}/part", content)
    assert shape(tuple(tree.flat(http.block))) == shape(tuple(tree.flat(alone.directives)))
