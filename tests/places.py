"""Where the commands of this environment are. Not in a conftest: pytest has several modules of that name, and an import finds any of them."""

from __future__ import annotations

import sys
from pathlib import Path

BIN = Path(sys.executable).parent
