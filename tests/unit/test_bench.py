"""What `make bench` and `make soak` conclude from their figures."""

import socket
from collections import Counter

import pytest
from bench import document
from bench.__main__ import FAMILIES, main
from bench.rows import Row, Section, quantile
from bench.soak import Run, Sample


@pytest.mark.parametrize(
    ("value", "most", "least", "met"),
    [
        (5.0, 5.0, None, True),
        (5.1, 5.0, None, False),
        (5.0, None, 5.0, True),
        (4.9, None, 5.0, False),
        (9.9, None, None, True),
    ],
)
def test_a_row_knows_whether_its_target_is_kept(
    value: float, most: float | None, least: float | None, met: bool
) -> None:
    row = Row(what="x", unit="s", value=value, most=most, least=least)
    assert row.met is met
    assert ("missed" in "".join(row.cells)) is not met


def test_a_section_is_a_table_with_the_bare_figure_and_the_ratio() -> None:
    rows = [Row(what="create", unit="/s", value=500, least=6_000, beside=("bare server", 1_000))]
    *_, line = Section("rates", rows).markdown().splitlines()
    wanted = "| create | ≥ 6,000 /s | 500 /s **missed** | 1,000 /s (bare server) | 0.50 |"
    assert line == wanted


def test_quantiles_are_values_that_were_seen() -> None:
    values = [float(n) for n in range(200, 0, -1)]
    assert quantile(values, 0.99) == 199
    assert quantile([3.0], 0.99) == 3


def run_of(memory: list[float], ends: int = 10) -> Run:
    samples = [Sample(memory=mb, handles=100, threads=20, disk=5) for mb in memory]
    return Run(10, Counter(SUCCEEDED=ends), samples, seconds=1)


def test_a_soak_holds_when_all_tasks_succeed_and_nothing_grows() -> None:
    steady = run_of([160, 161, 160, 163, 162] * 4)
    assert steady.held()
    assert "**grew**" not in steady.report()


def test_a_soak_sees_a_leak_and_a_lost_task() -> None:
    leaking = run_of([160.0 + 10 * n for n in range(20)])
    assert leaking.grew() == ["memory, MB"]
    assert "**grew**" in leaking.report()
    assert not leaking.held()
    assert not run_of([160.0] * 20, ends=9).held()


def test_the_document_has_a_place_for_every_family() -> None:
    text = document.DOCUMENT.read_text()
    for name in ("machine", *FAMILIES, "soak"):
        assert text.count(f"<!-- figures: {name} -->\n") == 1
    with pytest.raises(LookupError):
        document.fill(weather="fine")


def test_the_machine_is_described_without_its_name() -> None:
    assert socket.gethostname() not in document.machine(0)


def test_a_missing_tool_is_one_sentence_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main([]) == 2
    assert capsys.readouterr().err.strip() == "make bench needs wrk: sudo apt-get install wrk"


def test_an_unknown_family_is_wrong_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.__main__.missing", lambda: "")
    assert main(["weather"]) == 2
    assert "not weather" in capsys.readouterr().err.replace("\n", "")
