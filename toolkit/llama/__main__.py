"""``python -m edgekit.llama``: builds llama.cpp from the pinned source, once."""

import sys

from edgekit.llama.build import main

if __name__ == "__main__":
    sys.exit(main())
