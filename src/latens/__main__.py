"""``python -m latens``: the command line, and what ``torchrun -m latens`` starts."""

import sys

from latens.cli import main

if __name__ == "__main__":
    sys.exit(main())
