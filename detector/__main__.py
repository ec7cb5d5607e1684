"""`python -m detector`."""

import os
import sys

# Worker threads that spin while they wait slow each other down on shared cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from detector.cli import main

if __name__ == "__main__":
    sys.exit(main())
