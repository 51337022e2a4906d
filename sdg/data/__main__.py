"""Data sets before a training: ``prepare`` decodes one once, ``words`` lists what its captions say."""

import sys

USAGE = """\
usage: python -m sdg.data prepare data=ffhq data.root=PATH size=256
       python -m sdg.data words data=table data.root=PATH data.table=captions.csv

prepare: decode a data set once, into a cache that trainings find
words:   print some captions, and every word of all of them: the vocabulary of a small CLIP
All settings: python -m sdg.data prepare --help"""

if __name__ == "__main__":
    verb = sys.argv[1:2]
    if verb in (["-h"], ["--help"]):
        print(USAGE)
        sys.exit()
    if verb not in (["prepare"], ["words"]):
        sys.exit("error: say what to do: python -m sdg.data prepare data=ffhq data.root=PATH size=256")
    del sys.argv[1]
    from sdg.data import run

    run.main() if verb == ["prepare"] else run.words_main()
