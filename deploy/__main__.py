"""`python -m deploy`: the console."""

from __future__ import annotations

from deploy.console import main

if __name__ == "__main__":
    main()
