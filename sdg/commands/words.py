"""The words of a data set's captions: ``sdg words data=table data.root=PATH data.table=PATH``."""

from sdg.data.run import words_main as main

if __name__ == "__main__":
    main()
