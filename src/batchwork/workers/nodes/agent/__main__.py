"""What a launcher starts on a node: the supervisor. It reads its letter from standard input."""

from __future__ import annotations

import sys

from batchwork.workers.nodes.agent.supervisor import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
