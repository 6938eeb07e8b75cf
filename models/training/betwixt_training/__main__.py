"""`python -m betwixt_training data|train|export|evaluate|sounds|import-nsynth`: see `cli.py`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
