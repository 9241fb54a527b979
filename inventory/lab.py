#!/usr/bin/env python3
"""Dynamic inventory: the lab hosts that are running; empty groups where none is."""

from __future__ import annotations

import sys
from pathlib import Path

# This file is called lab, too: the package must be found first.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lab.inventory import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
