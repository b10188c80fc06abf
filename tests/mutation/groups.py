"""What is mutated, and by which tests: one group for each kind of checking code.

A group's tests start no server and no other process, for a child process would run the code without its mutants.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Modules that must not lose a check, and the tests that have to notice when they do."""

    title: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    options: tuple[str, ...] = ()


_ACCEPTANCE = "tests/policies/test_acceptance.py"

GROUPS = {
    "reader": Group(
        "the verifying reader",
        ("storage_adapters/verifying.py",),
        (
            "tests/conformance/test_verifying.py",
            "tests/conformance/test_mutants_verifying.py",
            "tests/conformance/test_stores_keep_the_contract.py",
        ),
    ),
    "replicas": Group(
        "replica verification",
        tuple(f"preservation/replicas/{name}.py" for name in ("judge", "overtaken", "pairing", "report", "verify")),
        (
            "tests/replicas/test_verify.py",
            "tests/replicas/test_pairing.py",
            "tests/replicas/test_mutants_verify.py",
        ),
        ("-k", "not bucket"),
    ),
    "policies": Group(
        "the policy decisions",
        tuple(
            f"policies/{name}.py"
            for name in ("acceptance", "check", "identity", "release", "replication", "standing")
        ),
        ("tests/policies",),
        # reads the sources, in which the mutants stand beside the code
        ("--deselect", f"{_ACCEPTANCE}::test_every_code_that_can_be_waived_is_one_that_somebody_gives"),
    ),
    "bags": Group(
        "the bag checker",
        tuple(
            f"preservation/bags/{name}.py"
            for name in (
                "archives",
                "bag_info",
                "bag_view",
                "check",
                "digests",
                "fetch",
                "manifests",
                "paths",
                "profile",
                "profile_check",
                "report",
                "tag_grammar",
            )
        ),
        (
            "tests/bags/test_judged.py",
            "tests/bags/test_golden.py",
            "tests/bags/test_adversarial.py",
            "tests/bags/test_archives.py",
            "tests/bags/test_received_bags.py",
            "tests/bags/test_large_files.py",
            "tests/bags/test_mutants_bags.py",
            "tests/bags/test_mutants_views.py",
        ),
        # test_judged has the same bags, and the whole answer to each
        (
            *("--deselect", "tests/bags/test_golden.py::test_the_name_is_the_verdict"),
            *("--deselect", "tests/bags/test_adversarial.py::test_the_name_is_the_verdict"),
            *("--deselect", "tests/bags/test_adversarial.py::test_every_finding_of_a_golden_bag_is_whole"),
        ),
    ),
}
