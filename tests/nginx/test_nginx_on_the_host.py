"""The package goes to the inspected host: standard library and Python 3.8 must do."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ssemedic" / "nginx"
MODULES = sorted(PACKAGE.glob("*.py"))
NEWER = {"removeprefix", "removesuffix", "is_relative_to", "pairwise", "StrEnum", "batched"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_needs_nothing_newer_than_python_3_8(module: Path) -> None:
    tree = ast.parse(module.read_text(), feature_version=(3, 8))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not names & NEWER
    future = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    assert future and future[0].names[0].name == "annotations"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_the_standard_library_and_its_siblings(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 1 or str(node.module).split(".")[0] in sys.stdlib_module_names
        elif isinstance(node, ast.Import):
            assert {a.name.split(".")[0] for a in node.names} <= sys.stdlib_module_names


def oldest_python() -> str:
    """python3.8 where it is installed, else this one: it must work there in any case."""
    found = shutil.which("python3.8")
    works = found and subprocess.run([found, "-V"], capture_output=True, check=False)
    return found if found and works and works.returncode == 0 else sys.executable


def test_the_package_works_without_the_rest_of_the_project(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "elsewhere" / "nginx")
    (tmp_path / "elsewhere" / "__init__.py").touch()
    script = (
        "from elsewhere.nginx import *\n"
        "t = tree_of({'/n': b'http { server { location / { proxy_pass http://a; } } }'}, '/n')\n"
        "r = route(t, 'http://h/events', '1.22.1')\n"
        "e = adopt(t, r, [Line('proxy_buffering', ('off',), 'c')], '/etc/x.conf')\n"
        "print(r.uri_passed, e.files[0].content.decode(), len(endpoints(t)))\n"
    )
    done = subprocess.run(
        [oldest_python(), "-S", "-c", script], capture_output=True, text=True, check=False,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == (
        "/events http { server { location / { proxy_pass http://a; } include /etc/x.conf; } } 0\n"
    )
