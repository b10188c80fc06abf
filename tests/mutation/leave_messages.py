"""mutmut, told to leave what people read alone: no mutant inside a `say(...)`.

Run in a copy of the checkout, with mutmut's own packages on PYTHONPATH; tests/mutation/table.py does both. A word
changed in a sentence is no weaker check, and that every gap has its value is proved by tests/language.
"""

from __future__ import annotations

import resource
import sys

import libcst as cst
from hypothesis import Phase, settings
from mutmut.__main__ import cli
from mutmut.mutation.file_mutation import MutationVisitor

MEMORY = 3 << 30  # bytes
_skips = MutationVisitor._skip_node_and_children


def _skips_messages_too(self: MutationVisitor, node: cst.CSTNode) -> bool:
    message = isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == "say"
    return message or _skips(self, node)


if __name__ == "__main__":
    MutationVisitor._skip_node_and_children = _skips_messages_too
    # The same draws for every mutant, and none made smaller: one failing example is enough.
    settings.register_profile("mutation", derandomize=True, max_examples=40, phases=[Phase.explicit, Phase.generate])
    settings.load_profile("mutation")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # a mutant that never ends may gather without end
    sys.exit(cli(["run", "--max-children", sys.argv[1]]))
