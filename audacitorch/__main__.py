"""`python -m audacitorch`."""

import sys

from audacitorch.cli import main

sys.exit(main())
