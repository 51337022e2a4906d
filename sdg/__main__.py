"""``python -m sdg``: the same as the command ``sdg``."""

from sdg.commands.main import main

if __name__ == "__main__":
    main()
