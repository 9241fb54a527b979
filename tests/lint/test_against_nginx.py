"""What nginx itself says: it loads what is generated, and its dump is the same configuration."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ssemedic.endpoint import Endpoint
from ssemedic.lint import judge
from ssemedic.nginx import Directive, Tree, files_on_disk, read_dump, read_tree, tree_of_dump
from tests.lint.sites import PREFIX, Site, healthy

HOST_FOLDERS = (PREFIX.encode() + b"/", b"/var/log/", b"/var/cache/", b"/run/nginx.pid")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=test", "-keyout", folder / "key.pem", "-out",
         folder / "cert.pem"],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def version() -> tuple[int, ...]:
    if shutil.which("nginx") is None:
        pytest.fail("nginx is not installed: apt-get install nginx-light (make test does)")
    shown = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return tuple(map(int, shown.partition("nginx/")[2].split()[0].split(".")))


def written(site: Site, root: Path, certificate: Path) -> Path:
    """The files of the site under ``root``, which takes the place of "/"."""
    for name in ("var/log/nginx", "var/cache/nginx", "run"):
        (root / name).mkdir(parents=True)
    for path, content in site.files.items():
        for folder in HOST_FOLDERS:
            content = content.replace(folder, str(root).encode() + folder)
        file = root / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    shutil.copytree(certificate, root / f"{PREFIX[1:]}/tls")
    return root / f"{PREFIX[1:]}/nginx.conf"


def shape(directives: tuple[Directive, ...] | None) -> object:
    return [(d.name, d.args, d.where, shape(d.block)) for d in directives or ()]


def whole(tree: Tree) -> object:
    return {
        path: (source.content, shape(source.directives)) for path, source in tree.sources.items()
    }


def test_nginx_loads_every_generated_one_and_its_dump_is_the_same_tree(
    version: tuple[int, ...], certificate: Path, tmp_path: Path
) -> None:
    tried = 0
    for seed in range(120):
        site = healthy(seed)
        if (site.number >= (1, 25, 1)) != (version >= (1, 25, 1)):
            continue  # the two ways to write HTTP/2
        root = tmp_path / str(seed)
        main = written(site, root, certificate)
        done = subprocess.run(
            ["nginx", "-T", "-p", root, "-c", main], capture_output=True, timeout=20, check=False
        )
        assert done.returncode == 0, f"seed {seed}: {done.stderr.decode()}"
        disk = read_tree(str(main), lambda path: Path(path).read_bytes(), files_on_disk)
        for content in (done.stdout, done.stderr + done.stdout, done.stdout + done.stderr):
            dump = read_dump(content)
            assert dump.content == content
            tree = tree_of_dump(dump)
            assert whole(tree) == whole(disk), seed
            assert (list(tree.sources), tree.includes) == (list(disk.sources), disk.includes)
        (one,) = judge(tree, [Endpoint(site.url)], site.version)
        assert (one.problems, one.unknown) == ((), ""), seed
        tried += 1
    assert tried >= 40
