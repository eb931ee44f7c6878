"""``python -m azcert``."""

from azcert.cli.main import main

main()
