"""``python -m musiclab`` is the ``musiclab`` command."""

from musiclab.cli import main

if __name__ == "__main__":
    main()
