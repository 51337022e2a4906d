"""``python -m sdg.data prepare data=ffhq data.root=PATH size=256``: decode a data set once."""

import sys

USAGE = """\
usage: python -m sdg.data prepare data=ffhq data.root=PATH size=256

Decode a data set once, into a cache that trainings find. All settings: python -m sdg.data prepare --help"""

if __name__ == "__main__":
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):
        print(USAGE)
        sys.exit()
    if words[:1] != ["prepare"]:
        sys.exit("error: say what to do: python -m sdg.data prepare data=ffhq data.root=PATH size=256")
    del sys.argv[1]
    from sdg.data.run import main

    main()
