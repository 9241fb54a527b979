"""python remediate.py --host HOST: diagnose, repair and prove. The door to `ssemedic remediate`."""

from __future__ import annotations

import sys

from ssemedic.cli import main

if __name__ == "__main__":
    sys.exit(main(["remediate", *sys.argv[1:]]))
