"""Measure a folder of samples: ``python evaluate.py samples=DIR mentions=FILE`` (see ``--help``)."""

from sdg.commands.evaluate import main

if __name__ == "__main__":
    main()
