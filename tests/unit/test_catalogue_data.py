"""The data itself: complete, honest about what it does not know, and the source of the docs."""

from pathlib import Path

import pytest

from ferrotype.catalogue import BadCatalogue, Catalogue
from ferrotype.catalogue.__main__ import main
from ferrotype.catalogue.audit import findings
from ferrotype.catalogue.reference import pages

CATALOGUE = Catalogue.load()
DOCS = Path(__file__).parents[2] / "docs"


def test_how_many_models_are_on_each_path() -> None:
    assert len(CATALOGUE.models) == 85
    assert {route: len(CATALOGUE.models_on(route)) for route in CATALOGUE.routes} == {
        "text2image/image-synthesis": 18,
        "image2image/image-synthesis": 5,
        "image-generation/generation": 7,
        "multimodal-generation/generation": 24,
        "video-generation/video-synthesis": 33,
        "image2video/video-synthesis": 5,
        "background-generation/generation": 1,
    }


def test_every_unknown_has_a_written_reason() -> None:
    assert findings(CATALOGUE.models) == []
    assert main([]) == 0


def test_an_unknown_without_a_reason_is_found(tmp_path: Path) -> None:
    reasons = tmp_path / "unknowns.toml"
    reasons.write_text('allow = [{ unknown = "x", models = ["wanx-v1"], reason = " " }]')
    found = findings(CATALOGUE.models, reasons)
    assert "flux-dev: rate: not known" in found
    assert "unknowns.toml: wanx-v1: nothing is unknown like 'x'" in found
    assert any("no reason" in finding for finding in found)


def test_a_number_without_bounds_is_an_unknown(tmp_path: Path) -> None:
    models = load(tmp_path, HEAD + "[model.m.parameters]\nsteps = { kind = 'integer' }").models
    assert "m: parameters.steps: no bounds" in findings(models)
    assert "m: rate: not known" in findings(models)


@pytest.mark.parametrize("name", sorted(pages(CATALOGUE)))
def test_the_docs_are_what_the_catalogue_says(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == pages(CATALOGUE)[name], (
        "run: python -m ferrotype.catalogue docs docs"
    )


def test_the_docs_command_writes_every_page(tmp_path: Path) -> None:
    assert main(["docs", str(tmp_path)]) == 0
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.md")} == set(pages(CATALOGUE))
    assert main(["what"]) == 2


HEAD = """
[common]
kind = "text-to-image"
media = "image"
dialect = "results"
task_metrics = true
routes = { "text2image/image-synthesis" = ["async"] }
usage = { image_count = "made" }
confidence = "low"
source = "us"
input = { prompt = { kind = "text", required = true } }
"""


def load(folder: Path, text: str) -> Catalogue:
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    return Catalogue.load([folder])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[model.m]\nkind = 'x'", "mine.toml: m: Object missing required field"),
        ("[common", "mine.toml: "),
        ("[modle.m]", "unknown table [modle]"),
        ("model = 3", "must be a table"),
        (HEAD + "[model.m]\nfoo = 1", "m: Object contains unknown field `foo`"),
        (HEAD + "[model.m.parameters]\nn = { kind = 'integre' }", "m: n: Invalid value 'integre'"),
        (
            HEAD + "[model.m.parameters]\nn = { kind = 'integer', mim = 1 }",
            "m: n: Object contains unknown field `mim`",
        ),
        (HEAD + "[model.m.parameters]\nn = { kind = 'integer', max = 4, default = 5 }", "default"),
        (HEAD + "[model.m.parameters]\nn = { kind = 'integer', min = 5, max = 4 }", "above max"),
        (HEAD + "[model.m.parameters]\nsize = { kind = 'size' }", "no upper limit"),
        (HEAD + "[model.m.parameters]\nsize = { kind = 'size', values = ['1x1'] }", "not W*H"),
        (HEAD + "[model.m.parameters]\nn = false", "no shared field to remove"),
        (HEAD + "[model.m.parameters]\nn = 4", "must be a table, or false"),
        (HEAD + "[model.m]\nsource = ' '", "source: is empty"),
        (HEAD + "[model.m]\nroutes = {}", "every model needs a route"),
        (HEAD + "[model.m]\ncanvas = 'big'", "canvas must be W*H"),
        ("[model.m]\nlike = 'nobody'", "there is no model 'nobody'"),
        ("[model.a]\nlike = 'wanx-v1'\n[model.m]\nlike = 'a'", "itself like another"),
        (HEAD + "[model.m]\nname = 'wanx-v1'", "another entry on text2image"),
    ],
)
def test_a_bad_file_stops_the_start_and_names_the_place(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(BadCatalogue) as caught:
        load(tmp_path, text)
    assert says in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCatalogue, match="no such file or folder"):
        Catalogue.load([tmp_path / "absent"])


def test_a_later_file_wins(tmp_path: Path) -> None:
    catalogue = load(tmp_path, HEAD + "[model.wanx-v1]")
    assert catalogue.models["wanx-v1"].source == "us"
    assert len(catalogue.models) == len(CATALOGUE.models)


def test_a_custom_model_is_like_another(tmp_path: Path) -> None:
    catalogue = load(
        tmp_path,
        "[model.mine]\nlike = 'wan2.2-t2i-plus'\nparameters.n = { max = 2, default = 1 }",
    )
    mine = catalogue.models["mine"]
    assert (mine.name, mine.like, mine.family) == ("mine", "wan2.2-t2i-plus", "text-to-image")
    body = {"model": "mine", "input": {"prompt": "p"}}
    checked = catalogue.check("text2image/image-synthesis", body, asynchronous=False)
    assert (checked.model.name, checked.total, checked.attended) == ("mine", 1, True)


def test_with_model() -> None:
    catalogue = CATALOGUE.with_model("mine", like="wanx-v1")
    assert catalogue.models["mine"].like == "wanx-v1"
    assert "mine" not in CATALOGUE.models
    assert catalogue.on_route("mine", "text2image/image-synthesis").name == "mine"
    for name, like in (("other", "nobody"), ("wanx-v1", "qwen-image")):
        with pytest.raises(BadCatalogue):
            CATALOGUE.with_model(name, like=like)
