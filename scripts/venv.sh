#!/bin/sh
# Make a venv with the project and its tools in it: .venv, or the folder that VENV names.
# PYTHON names the interpreter (3.11 or newer).
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
venv=${VENV:-.venv}
if ! command -v "$python" >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3 python3-venv >/dev/null
    else
        echo "setup: $python is missing; install Python 3.11 or newer, or name one with PYTHON=..." >&2
        exit 2
    fi
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: $python is $("$python" -V 2>&1), must be 3.11 or newer; name one with PYTHON=..." >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv >/dev/null
    else
        echo "setup: $python has no venv module; as root: apt-get install python3-venv" >&2
        exit 2
    fi
fi

echo "setup: making $venv with $("$python" -V) (a minute, once)"
rm -rf "$venv"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip --quiet --disable-pip-version-check install -e "${EXTRAS:-.[dev,service]}"
date >"$venv/.ready"
