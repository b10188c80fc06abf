"""What somebody meets who follows the pages for the first time: no empty answers, no figures that say nothing."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import local_store, package_in, settings, vankho, workspace_in


def test_what_a_first_reader_would_miss(tmp_path: Path) -> None:
    kho = workspace_in(tmp_path / "kho")
    assert vankho("ingest", package_in(tmp_path / "Bản đồ cổ"), cwd=kho).code == 0
    assert vankho("show", "--standing", "overdue", cwd=kho).out.strip() == "No version is overdue."

    draft = tmp_path / "default.yaml"
    draft.write_text("audit: {defaults: {bytes: {interval: P1D, grace: P1D, budget: {bytes_per_day: 10}}}}\n")
    checked = vankho("policy", "check", draft, cwd=kho)
    assert "the budget gives 10 B" in checked.out + checked.err
    assert "0.0" not in checked.out + checked.err

    assert "no policies of its own" in vankho("policy", "check", cwd=kho).out
    (kho / "policies").mkdir()
    (kho / "policies" / "default.yaml").write_text("audit: {defaults: {bytes: {interval: 90 days}}}\n")
    everything = vankho("policy", "check", cwd=kho)
    assert everything.code == 2
    assert "default.yaml:1" in everything.out
    listed = vankho("show", cwd=kho)
    assert listed.code == 0, listed.err  # by what the policy said before
    assert "vankho policy check" in listed.out + listed.err
    (kho / "policies" / "default.yaml").unlink()

    lost = {name: local_store(name) for name in ("primary", "second")}
    (kho / "vankho.toml").write_text(settings(lost), encoding="utf-8")
    shown = vankho("show", cwd=kho)
    assert "vankho store rename third NEW" in shown.out + shown.err

    (kho / "vankho.secrets.toml").write_text('[stores.third]\naccess_key_id = "x"\n')
    (kho / "vankho.secrets.toml").chmod(0o600)
    refused = vankho("show", cwd=kho)
    assert refused.code == 2
    assert "vankho.secrets.toml" in refused.err
