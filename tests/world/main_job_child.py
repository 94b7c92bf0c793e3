"""What a process of its own runs: the main job on a world, under a hook that hears every opening.

    python main_job_child.py WORLD

Prints a JSON object: `touched`, files and folders that Python opened or listed within
WORLD/truth; `opened`, how many of all within WORLD; `world`, modules of keepwell.world that were
imported; `clients`, how many were ranked.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_HEARD = {"open", "os.listdir", "os.scandir", "os.link", "os.rename", "shutil.copyfile"}


def main() -> None:
    root = Path(sys.argv[1]).resolve()
    heard: list[str] = []

    def listen(event: str, args: tuple[object, ...]) -> None:
        if event in _HEARD and args and isinstance(args[0], str | bytes | os.PathLike):
            # Resolving would open folders itself.
            heard.append(os.path.abspath(os.fsdecode(args[0])))  # noqa: PTH100

    sys.addaudithook(listen)
    import keepwell as kw
    from tests.learn.broker import few_trees

    workspace = kw.open(root)
    kw.ingest(workspace)
    with few_trees():
        made = kw.run(workspace)
    within = [path for path in heard if path.startswith(f"{root}{os.sep}")]
    told = {
        "touched": sorted({path for path in within if "truth" in Path(path).parts}),
        "opened": len(within),
        "world": sorted(name for name in sys.modules if name.startswith("keepwell.world")),
        "clients": len(made.data.top),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
