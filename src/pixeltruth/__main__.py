"""``python -m pixeltruth`` is the command ``pixeltruth``."""

import sys

from pixeltruth.cli import main

sys.exit(main())
