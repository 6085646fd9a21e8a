"""`python -m loader` is the command `loader`."""

from loader.cli.main import main

if __name__ == "__main__":
    main()
