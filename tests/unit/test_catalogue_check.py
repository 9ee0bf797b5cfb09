"""Requests against every text-to-image model: what is accepted, what is said to the rest."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrotype import errors
from ferrotype.catalogue import Catalogue, Checked
from ferrotype.catalogue.fields import Text
from ferrotype.media import Produced

ROUTE = "text2image/image-synthesis"
CATALOGUE = Catalogue.load()
MODELS = sorted(model.name for model in CATALOGUE.models_on(ROUTE))
WAN = ["wan2.2-t2i-flash", "wanx2.1-t2i-plus", "wan2.1-t2i-turbo", "wanx2.0-t2i-turbo"]
QWEN = ["qwen-image", "qwen-image-plus"]
SEVERAL = [name for name in MODELS if name not in QWEN and not name.startswith("flux-")]


def ask(
    model: Any,
    parameters: Any = None,
    prompt: Any = "a red kite",
    asynchronous: bool = True,
    **inputs: Any,
) -> Checked:
    body = {"model": model, "input": {"prompt": prompt, **inputs}, "parameters": parameters or {}}
    return CATALOGUE.check(ROUTE, body, asynchronous=asynchronous)


def refused(*arguments: Any, **keywords: Any) -> errors.Refused:
    with pytest.raises(errors.Refused) as caught:
        ask(*arguments, **keywords)
    return caught.value


def test_the_first_call_of_the_vendors_guide() -> None:
    checked = ask("wan2.5-t2i-preview", {"size": "1024*1024", "n": 1}, "A flower shop")
    assert checked.order.size == (1024, 1024)
    assert (checked.order.kind, checked.order.prompt) == ("text-to-image", "A flower shop")
    assert (checked.total, checked.refusal, checked.attended) == (1, None, False)
    assert checked.order.fields == {"prompt_extend": True, "watermark": False}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_answers_a_bare_prompt_with_its_defaults(name: str) -> None:
    checked = ask(name)
    parameters = checked.model.parameters
    assert "*".join(map(str, checked.order.size)) == parameters["size"].default
    assert checked.order.n == checked.total == parameters["n"].default
    assert 0 <= checked.order.seed < 2**31
    assert msgspec.json.decode(msgspec.json.encode(checked.order), type=type(checked.order))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("junk", [[], {}, "x", -1.5, True, 10**400, math.nan, math.inf, "\ud800"])
def test_every_field_of_every_model_refuses_junk(name: str, junk: Any) -> None:
    model = CATALOGUE.on_route(name, ROUTE)
    for field in model.parameters:
        kind = type(model.parameters[field]).__name__
        if (kind, type(junk)) in {("Flag", bool)} or (kind == "Number" and junk == -1.5):
            continue
        if model.parameters[field].late:
            assert ask(name, {field: junk}).refusal
        else:
            no = refused(name, {field: junk})
            assert no.code == "InvalidParameter"
            assert field in no.message or no.message == model.parameters[field].error
    for junk_text in [junk] if not isinstance(junk, str) else []:
        assert "input.prompt" in refused(name, prompt=junk_text).message


@pytest.mark.parametrize("name", MODELS)
def test_null_is_absent_and_unknown_keys_are_passed_over(name: str) -> None:
    model = CATALOGUE.on_route(name, ROUTE)
    nulls = dict.fromkeys(model.parameters)
    plain = ask(name, {"seed": 1})
    same = ask(name, {**nulls, "seed": 1, "is_async": True}, negative_prompt=None, extra=[1])
    assert same.order == plain.order


@pytest.mark.parametrize("name", MODELS)
def test_seed_borders(name: str) -> None:
    assert ask(name, {"seed": 0}).order.seed == 0
    assert ask(name, {"seed": 2147483647}).order.seed == 2147483647
    for wrong in (-1, 2147483648):
        assert "from 0 to 2147483647" in refused(name, {"seed": wrong}).message
    assert ask(name, {"seed": 7.0}).order.seed == 7


def test_a_seed_left_out_is_drawn_anew() -> None:
    assert len({ask("wanx-v1").order.seed for _ in range(8)}) > 1


@pytest.mark.parametrize("name", SEVERAL)
def test_n_borders(name: str) -> None:
    assert [ask(name, {"n": n}).total for n in (1, 4)] == [1, 4]
    for wrong in (0, 5, 10**30):
        assert refused(name, {"n": wrong}).message == (
            "the parameters must conform to the specification: "
            "parameters.n must be an integer from 1 to 4"
        )


@pytest.mark.parametrize("name", QWEN)
@pytest.mark.parametrize("n", [0, 2, "1"])
def test_qwen_makes_one_picture(name: str, n: Any) -> None:
    assert refused(name, {"n": n}).message == "num_images_per_prompt must be 1"


@pytest.mark.parametrize("name", MODELS)
def test_long_texts_are_cut_and_never_refused(name: str) -> None:
    model = CATALOGUE.on_route(name, ROUTE)
    order = ask(name, prompt="图" * 99_999, negative_prompt="n" * 99_999).order
    limits = {name: field.max for name, field in model.input.items() if isinstance(field, Text)}
    assert order.prompt == "图" * limits["prompt"]
    assert order.negative == "n" * limits.get("negative_prompt", 0)


@pytest.mark.parametrize("blank", ["", "  \n", "\0\x07", "\ud800", None])
def test_a_prompt_must_say_something(blank: Any) -> None:
    assert refused("wanx-v1", prompt=blank).message == "Field required: input.prompt"


def test_what_no_document_can_carry_is_dropped_from_texts() -> None:
    dirty = "a\0 \x1bred\ud83d\x85 kite\ufffe\n\tin 風 🪁"
    order = ask("wanx-v1", prompt=dirty, negative_prompt="\0text").order
    assert order.prompt == "a red kite\n\tin 風 🪁"
    assert order.negative == "text"
    assert order.prompt.encode()


@pytest.mark.parametrize("name", WAN)
def test_sides_rule(name: str) -> None:
    for size in ("512*512", "1440*1440", "512*1440"):
        assert "*".join(map(str, ask(name, {"size": size}).order.size)) == size
    for size in ("511*512", "1441*1024", "1024x1024", "1024*", "1K", "01024*1024", "1024*1024\n"):
        no = refused(name, {"size": size}).message
        assert no.startswith("The size is not match the allowed size [W*H, sides 512 to 1440")


def test_area_rule() -> None:
    name = "wan2.5-t2i-preview"
    for size in ("768*768", "1440*1440", "2880*720", "720*2880"):
        assert "*".join(map(str, ask(name, {"size": size}).order.size)) == size
    for size in (
        "767*768",
        "1440*1441",
        "2828*700",
        "700*2828",
        "99999*99999",
        "１０２４*1024",
        "16:9",
        "720P",
    ):
        assert "589824 to 2073600 pixels" in refused(name, {"size": size}).message


@pytest.mark.parametrize("name", QWEN)
def test_listed_sizes(name: str) -> None:
    assert ask(name, {"size": "928*1664"}).order.size == (928, 1664)
    assert refused(name, {"size": "1024*1024"}).message == (
        "The size is not match the allowed size "
        "['1664*928', '1472*1104', '1328*1328', '1104*1472', '928*1664']"
    )


def test_the_size_of_wanx_v1_is_told_at_the_task() -> None:
    checked = ask("wanx-v1", {"size": "1024*1025", "n": 3})
    assert checked.refusal == (
        "InvalidParameter",
        "The size is not match the allowed size ['1024*1024', '720*1280', '768*1152', '1280*720']",
    )
    assert (checked.total, checked.order.size) == (3, (1024, 1024))
    assert refused("wanx-v1", {"size": "1*1", "n": 9})


def test_style_and_reference_fields_of_wanx_v1() -> None:
    url = "https://example.com/a.png?x=1"
    order = ask(
        "wanx-v1", {"style": "<anime>", "ref_strength": 1, "ref_mode": "refonly"}, ref_img=url
    ).order
    assert order.fields == {"style": "<anime>", "ref_strength": 1.0, "ref_mode": "refonly"}
    assert order.inputs == {"ref_img": [url]}
    assert refused("wanx-v1", {"style": "anime"}).message == "The style is invalid."
    assert "0 to 1" in refused("wanx-v1", {"ref_strength": 1.01}).message
    assert "repaint, refonly" in refused("wanx-v1", {"ref_mode": "x"}).message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("oss:bucket/a.png", "ASCII URL"),
        ("oss://" + "a" * 5000, "ASCII URL"),
        ("data:image/png;base64,AAAA", "ASCII URL"),
        ("https://例子.com/a.png", "ASCII URL"),
        ("https://example.com/ä.png", "ASCII URL"),
        ("https://example.com/a b.png", "ASCII URL"),
        ("https://example.com/a\n.png", "ASCII URL"),
        ("https://", "ASCII URL"),
        ("http://[::1", "ASCII URL"),
        ("http://h:99999/", "ASCII URL"),
        ("file:///etc/passwd", "ASCII URL"),
        ("", "ASCII URL"),
        ("https://example.com/" + "a" * 5000, "ASCII URL"),
        (["https://example.com"], "ASCII URL"),
    ],
)
def test_addresses_that_cannot_be_followed(url: Any, says: str) -> None:
    no = refused("wanx-v1", ref_img=url)
    assert says in no.message
    assert "input.ref_img" in no.message


def test_what_a_reference_picture_may_be() -> None:
    rule = CATALOGUE.models["wanx-v1"].input_rules["ref_img"]
    assert (rule.max_bytes, rule.min_side, rule.max_side) == (10 << 20, 256, 4096)
    assert set(rule.types) == {f"image/{x}" for x in ("jpeg", "png", "bmp", "tiff", "webp")}
    assert CATALOGUE.models["qwen-image"].input_rules == {}


GOOD = {"model": "wanx-v1", "input": {"prompt": "p"}}


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"model": None}, errors.EmptyModel, None),
        ({"model": ""}, errors.EmptyModel, None),
        ({"model": 7}, errors.InvalidParameter, "model must be text"),
        ({"model": "wan9"}, errors.InvalidParameter, "Model not exist."),
        ({"input": None}, errors.EmptyInput, None),
        ({"input": "p"}, errors.InvalidParameter, "input must be an object"),
        ({"input": {}}, errors.InvalidParameter, "Field required: input.prompt"),
        ({"parameters": []}, errors.InvalidParameter, "parameters must be an object"),
    ],
)
def test_the_frame_of_a_request(
    change: dict[str, Any], kind: type[errors.FerrotypeError], message: str | None
) -> None:
    with pytest.raises(kind) as caught:
        CATALOGUE.check(ROUTE, {**GOOD, **change}, asynchronous=True)
    assert type(caught.value) is kind
    assert (message or errors.default_message(kind)) in caught.value.message


def test_the_model_comes_before_the_path_the_header_and_the_input() -> None:
    def code(route: str, body: Any, asynchronous: bool = False) -> str:
        with pytest.raises(errors.FerrotypeError) as caught:
            CATALOGUE.check(route, body, asynchronous=asynchronous)
        return caught.value.message

    assert code("x/y", {}) == 'Required parameter "model" missing from request.'
    assert code("x/y", {"model": "wan9"}) == "Model not exist."
    assert code("x/y", {"model": "wanx-v1"}) == (
        "url error, please check url！ For details, see: "
        "https://help.aliyun.com/zh/model-studio/error-code"
    )
    assert code(ROUTE, {"model": "wanx-v1"}) == (
        "current user api does not support synchronous calls"
    )
    with pytest.raises(errors.IllegalInput):
        CATALOGUE.check(ROUTE, ["model"], asynchronous=True)  # type: ignore[arg-type]


def test_an_unknown_model_may_be_a_404() -> None:
    strict = Catalogue.load(unknown_model="404")
    with pytest.raises(errors.ModelNotFound) as caught:
        strict.check(ROUTE, {"model": "wan9"}, asynchronous=True)
    assert caught.value.code == "ModelNotFound"


@pytest.mark.parametrize("name", MODELS)
def test_only_two_models_answer_at_once(name: str) -> None:
    if name in ("wan2.2-t2i-flash", "wan2.2-t2i-plus"):
        assert ask(name, asynchronous=False).attended
        assert not ask(name).attended
    else:
        with pytest.raises(errors.Denied):
            ask(name, asynchronous=False)


def test_usage_counts_only_what_was_made() -> None:
    model = CATALOGUE.models["wanx-v1"]
    outputs = [Produced(key="a"), Produced(code="DataInspectionFailed"), Produced(key="b")]
    assert model.usage(ask("wanx-v1").order, outputs) == {"image_count": 2}


def test_which_prompts_results_repeat() -> None:
    def shown(name: str, parameters: Any = None) -> dict[str, str]:
        checked = ask(name, parameters)
        return checked.model.shown(checked.order)

    both = {"orig_prompt": "a red kite", "actual_prompt": "a red kite"}
    assert shown("wan2.5-t2i-preview") == shown("qwen-image") == both
    assert shown("wan2.5-t2i-preview", {"prompt_extend": False}) == {"orig_prompt": "a red kite"}
    assert shown("wanx-v1") == shown("flux-dev") == shown("stable-diffusion-xl") == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
FIELDS = sorted({f for m in CATALOGUE.models.values() for f in (*m.input, *m.parameters)})
TABLE = st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from(["1024*1024", 1, 2.0]))


@settings(max_examples=300, deadline=None)
@given(
    model=st.sampled_from(MODELS) | JSON,
    table=TABLE | JSON,
    parameters=TABLE | JSON,
    prompt=st.text(max_size=40) | JSON,
    asynchronous=st.booleans(),
)
def test_any_body_is_checked_or_refused(
    model: Any, table: Any, parameters: Any, prompt: Any, asynchronous: bool
) -> None:
    if isinstance(table, dict):
        table = {**table, "prompt": prompt}
    body = {"model": model, "input": table, "parameters": parameters}
    try:
        checked = CATALOGUE.check(ROUTE, body, asynchronous=asynchronous)
    except errors.FerrotypeError as no:
        assert no.message
        assert len(no.message) < 500
    else:
        order = checked.order
        assert order.prompt.strip()
        assert 1 <= order.n <= 4
        assert json.loads(msgspec.json.encode(order))["seed"] == order.seed
