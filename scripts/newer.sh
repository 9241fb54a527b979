#!/bin/sh
# Run what depends on Ansible and Python with a newer pair (Python 3.12+, its newest ansible-core).
set -eu
cd "$(dirname "$0")/.."

newer=""
for python in python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[2-9].*/bin/python3; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
        newer=$python
    fi
done
if [ -z "$newer" ]; then
    echo "newer: this machine has no Python 3.12 or newer, so nothing was tested with one"
    exit 0
fi
export VENV=.cache/venv-newer
[ -e "$VENV/.ready" ] || PYTHON=$newer scripts/venv.sh
echo "newer: $("$VENV/bin/python" -V), $("$VENV/bin/ansible" --version | head -n 1)"
"$VENV/bin/python" -m pytest -q -n 2 --dist worksteal -m "not lab" tests/rules tests/report tests/evidence tests/transaction tests/hostile tests/privilege
"$VENV/bin/python" -m pytest -q tests/e2e/test_doors.py -n 3
