"""Run the command as ``python -m tweetclf``."""

import sys

from tweetclf.cli import main

if __name__ == "__main__":
    sys.exit(main())
