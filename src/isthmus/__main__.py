"""`python -m isthmus`, where the command is not on the path."""

import sys

from isthmus.cli import main

sys.exit(main())
