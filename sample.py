"""Draw guided samples: ``python sample.py 'prompts=["a smiling face with red hair"]'`` (see ``--help``)."""

from sdg.commands.sample import main

if __name__ == "__main__":
    main()
