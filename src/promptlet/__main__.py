"""``python -m promptlet`` is the command line."""

from promptlet.cli import main

if __name__ == "__main__":
    main()
