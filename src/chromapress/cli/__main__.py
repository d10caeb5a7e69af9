"""`python -m chromapress.cli`, where the script is not on the PATH."""

import sys

from chromapress.cli import main

if __name__ == "__main__":
    sys.exit(main())
