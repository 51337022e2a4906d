"""Decode a data set once: ``sdg prepare data=ffhq data.root=PATH size=256`` (see ``--help``)."""

from sdg.data.run import main

if __name__ == "__main__":
    main()
