"""`python -m detector`, and `python -m detector archive`."""

import os
import sys

# Worker threads that spin while they wait slow each other down on shared cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def main() -> int:
    if sys.argv[1:2] == ["archive"]:
        return archive(sys.argv[2:])
    from detector.cli import main

    return main()


def archive(argv: list[str]) -> int:
    """What an archive needs is an extra, and is imported only then."""
    try:
        import ray  # noqa: F401
    except ImportError:
        print('An archive needs Ray: pip install ".[scale]"', file=sys.stderr)
        return 2
    from detector.archive.command import main

    return main(argv)


if __name__ == "__main__":
    sys.exit(main())
