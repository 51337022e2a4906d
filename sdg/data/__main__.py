"""``python -m sdg.data prepare data=ffhq data.root=PATH size=256``: decode a data set once."""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] != ["prepare"]:
        sys.exit("error: say what to do: python -m sdg.data prepare data=ffhq data.root=PATH size=256")
    del sys.argv[1]
    from sdg.data.run import main

    main()
