"""`vankho` commands one after another in one process, as one person's terminal would have them.

Reads one JSON list of words a line from standard input, runs it, and writes its exit code to the descriptor named.
With `bare` nothing is veiled: so a test can show that it would see what the veil hides.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    answers, veil = int(sys.argv[1]), sys.argv[2]
    if veil == "bare":
        import wording.secrets

        wording.secrets.veiled = lambda text: text
    from apps.cli.main import run

    for line in sys.stdin:
        try:
            run(json.loads(line))
        except SystemExit as end:
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(answers, f"{end.code or 0}\n".encode())


if __name__ == "__main__":
    main()
