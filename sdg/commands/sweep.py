"""Search settings: ``sdg sweep +sweep=guidance_scale`` (see ``--help`` and conf/sweep)."""

from sdg.sweep.__main__ import main

if __name__ == "__main__":
    main()
