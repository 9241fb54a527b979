"""python -m ssemedic."""

import sys

from ssemedic.cli import main

sys.exit(main())
