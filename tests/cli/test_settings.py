"""Which workspace, and which settings are in force: the file, the secrets beside it, the environment above both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import Ran, local_store, settings, vankho, workspace_in

Here = Callable[..., Ran]

CLOUD = {"kind": "s3", "bucket": "vankho-a", "endpoint_url": "http://127.0.0.1:1"}


@pytest.fixture
def three(tmp_path: Path) -> dict[str, Path]:
    """Three workspaces that differ in the name of their one store."""
    return {name: workspace_in(tmp_path / name, **{name: local_store(name)}) for name in ("one", "two", "three")}


def _store(ran: Ran) -> str:
    assert ran.code == 0, ran
    return str(ran.data[0]["name"])


def test_the_option_wins_over_the_environment_over_the_folder(
    here: Here, three: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workspace named wins, before the command or after it; then VANKHO_WORKSPACE; then the current folder."""
    monkeypatch.chdir(three["three"])
    assert _store(here("store", "list", "--json")) == "three"
    monkeypatch.setenv("VANKHO_WORKSPACE", str(three["two"]))
    assert _store(here("store", "list", "--json")) == "two"
    assert _store(here("store", "list", "--workspace", three["one"], "--json")) == "one"
    assert _store(here("--workspace", three["one"], "--json", "store", "list")) == "one"
    assert _store(here("-w", three["two"], "store", "list", "-w", three["one"], "--json")) == "one"
    monkeypatch.setenv("VANKHO_WORKSPACE", "")
    assert _store(here("store", "list", "--json")) == "three"


def test_the_same_in_a_process(three: dict[str, Path], tmp_path: Path) -> None:
    """A relative VANKHO_WORKSPACE counts from the current folder."""
    done = vankho("store", "list", "--json", cwd=tmp_path, env={"VANKHO_WORKSPACE": "two"})
    assert _store(done) == "two"


def test_no_workspace_at_all(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says how to name one and how to make one."""
    monkeypatch.chdir(tmp_path)
    done = here("show")
    assert (done.code, done.out) == (2, "")
    for word in ("--workspace", "VANKHO_WORKSPACE", "vankho init"):
        assert word in done.err
    named = here("show", "--workspace", "nowhere")
    assert named.code == 2
    assert "vankho init nowhere" in named.err


def test_init_makes_what_every_command_takes(here: Here, tmp_path: Path) -> None:
    """And leaves what is there already alone."""
    made = here("init", tmp_path / "kho mới")
    assert made.code == 0
    assert f"--workspace '{tmp_path}/kho mới'" in made.out  # a person can paste it
    assert here("show", "-w", tmp_path / "kho mới").code == 0
    before = (tmp_path / "kho mới" / "vankho.toml").read_bytes()
    again = here("init", tmp_path / "kho mới")
    assert again.code == 2
    assert (tmp_path / "kho mới" / "vankho.toml").read_bytes() == before


def test_init_where_a_file_stands(here: Here, tmp_path: Path) -> None:
    """Nothing is made, and the file is named."""
    (tmp_path / "file").write_text("mine")
    done = here("init", tmp_path / "file")
    assert done.code == 2
    assert str(tmp_path / "file") in done.err
    assert "next step" in done.err
    assert (tmp_path / "file").read_text() == "mine"


def test_the_environment_overrides_a_key(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """VANKHO_STORES__CLOUD_A__ENDPOINT_URL is endpoint_url of [stores.cloud-a]; the rest of the store stays."""
    workspace = workspace_in(tmp_path / "kho", **{"primary": local_store("primary"), "cloud-a": CLOUD})
    monkeypatch.setenv("VANKHO_STORES__CLOUD_A__ENDPOINT_URL", "http://127.0.0.1:2")
    listed = here("store", "list", "-w", workspace, "--json").data
    assert [(store["name"], store["place"]) for store in listed] == [
        ("primary", "stores/primary"),
        ("cloud-a", "http://127.0.0.1:2 vankho-a"),
    ]


def test_the_environment_overrides_the_catalog(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any key, not only those of stores."""
    workspace = workspace_in(tmp_path / "kho", '[catalog]\nurl = "sqlite:///one.db"')
    monkeypatch.setenv("VANKHO_CATALOG__URL", "sqlite:///two.db")
    assert here("show", "-w", workspace).code == 0
    assert (workspace / "two.db").exists()
    assert not (workspace / "one.db").exists()


@pytest.mark.parametrize(
    "other",
    [
        {"first": local_store("x"), "second": {**local_store("y"), "path": "stores/../stores/x/"}},
        {"first": CLOUD, "second": {**CLOUD, "endpoint_url": "http://127.0.0.1:1/", "region": "site-2"}},
    ],
    ids=["folder", "bucket"],
)
def test_two_stores_in_one_place_would_count_one_copy_twice(
    here: Here, tmp_path: Path, other: dict[str, dict[str, object]]
) -> None:
    done = here("show", "-w", workspace_in(tmp_path / "kho", **other))
    assert done.code == 2
    assert "first" in done.err
    assert "second" in done.err


def test_buckets_of_one_name_at_two_providers_are_two_places(here: Here, tmp_path: Path) -> None:
    stores = {"first": CLOUD, "second": {**CLOUD, "endpoint_url": "http://127.0.0.1:2"}}
    assert here("show", "-w", workspace_in(tmp_path / "kho", **stores)).code == 0


def test_secrets_that_others_can_read_are_refused(here: Here, tmp_path: Path) -> None:
    """With the command that mends it; never shown."""
    workspace = workspace_in(tmp_path / "kho", **{"cloud-a": CLOUD})
    secrets = workspace / "vankho.secrets.toml"
    secrets.write_text(settings({"cloud-a": {"access_key_id": "AK-1", "secret_access_key": "rất bí mật"}}))
    secrets.chmod(0o640)
    done = here("store", "list", "-w", workspace)
    assert done.code == 2
    assert f"chmod 600 {secrets}" in done.err
    assert "-rw-r-----" in done.err
    assert "rất bí mật" not in done.err
    secrets.chmod(0o600)
    listed = here("store", "list", "-w", workspace, "--json")
    assert listed.code == 0
    assert "rất bí mật" not in listed.out


@pytest.mark.parametrize(
    ("wrong", "named", "near"),
    [
        ('[stores.a]\nkind = "s3"\nbukket = "x"\n', "stores.a.bukket", "bucket"),
        ('[stores.a]\nkind = "local"\npath = "x"\nregon = "y"\n', "stores.a.regon", "region"),
        ('[catalogue]\nurl = "x"\n', "catalogue", "catalog"),
        ('[catalog]\nulr = "x"\n', "catalog.ulr", "url"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_nearest(
    here: Here, tmp_path: Path, wrong: str, named: str, near: str
) -> None:
    """Where it stands, and what was probably meant."""
    (tmp_path / "vankho.toml").write_text(wrong)
    done = here("show", "-w", tmp_path)
    assert done.code == 2
    assert f"setting {named} is wrong" in done.err
    assert f"the nearest is {near}" in done.err
    assert not (tmp_path / "catalog.db").exists()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ('[stores.a]\npath = "x"\n', "kind = local or kind = s3"),
        ('[stores.a]\nkind = "locla"\n', "expected: local, s3"),
        ('[stores.a]\nkind = "s3"\n', "stores.a.bucket"),
        ('[stores.a]\nkind = "s3"\nbucket = "b"\nread_timeout = "soon"\n', "stores.a.read_timeout"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(here: Here, tmp_path: Path, wrong: str, named: str) -> None:
    """Missing, of another kind, or no number."""
    (tmp_path / "vankho.toml").write_text(wrong)
    done = here("show", "-w", tmp_path)
    assert done.code == 2
    assert named in done.err


def test_a_secret_that_does_not_fit_is_never_shown(here: Here, tmp_path: Path) -> None:
    """Not even in the message that says it is wrong."""
    workspace = workspace_in(tmp_path / "kho", **{"cloud-a": CLOUD})
    secrets = workspace / "vankho.secrets.toml"
    secrets.touch(mode=0o600)
    secrets.write_text('[stores.cloud-a]\naccess_key_id = ["bí mật"]\n')
    done = here("store", "list", "-w", workspace, "--json")
    assert done.code == 2
    assert "bí mật" not in done.out + done.err


def test_a_mistake_in_toml_is_named_with_its_line(here: Here, tmp_path: Path) -> None:
    """File and line."""
    (tmp_path / "vankho.toml").write_text('[stores.a]\nkind = "local"\npath = x\n')
    done = here("show", "-w", tmp_path)
    assert done.code == 2
    assert str(tmp_path / "vankho.toml") in done.err
    assert "line 3" in done.err
