import json
from datetime import timedelta

import httpx
import pytest

from fullstory_assets.errors import BadRequest, FullStoryAssetsError, ServerError
from fullstory_assets_tests.scripted_api import KEY, PROXY_PASS, SIGNATURE, SIGNED_LINK, ScriptedApi, everything_said_by


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(400, json={"message": "m", "error": "e", "code": "c"}), "400: m."),
        (httpx.Response(400, json={"error": "e"}), "400: e."),
        (httpx.Response(400, json={"error": {"code": 3, "message": "nested."}}), "400: nested."),
        (httpx.Response(400, json={"detail": "d"}), "400: d."),
        (httpx.Response(400, json={"detail": [{"msg": "listed"}]}), "400: listed."),
        (httpx.Response(400, json={"message": "", "detail": {"error": "deep"}}), "400: deep."),
        (httpx.Response(400, json="only a text"), "400: only a text."),
        (httpx.Response(400, json={"odd": 1}), '400: {"odd":1}.'),
        (httpx.Response(400, text="plain\r\n\ttext\x00\x1b[31m here"), "400: plain text [31m here."),
        (httpx.Response(400, content=b"\xff\xfe broken"), "broken."),
        (httpx.Response(400, text="[" * 5000), "400: [[["),
        (httpx.Response(400), "answered 400. "),
        (
            httpx.Response(407, html="<html><style>b {}</style><h1>Proxy &amp; login</h1>\n<p>needed</p></html>"),
            "407: Proxy & login needed.",
        ),
    ],
    ids=[
        "message", "error", "nested error", "detail", "listed detail", "empty message", "text", "other JSON",
        "control characters", "not UTF-8", "too deep", "empty", "a proxy's page",
    ],
)  # fmt: skip
def test_the_other_sides_words_are_shown(answer, words):
    with pytest.raises(BadRequest) as caught:
        ScriptedApi(answer).client().me()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_long_words_are_cut():
    with pytest.raises(BadRequest) as caught:
        ScriptedApi(httpx.Response(400, json={"message": "word " * 100})).client().me()
    assert "word…" in str(caught.value)
    assert len(str(caught.value)) < 350


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"message": f"bad key {KEY}"}),
        httpx.Response(401, json={"message": "x" * 190 + KEY}),
        httpx.Response(401, text=f"no: {json.dumps(KEY).replace('/', chr(92) + '/')}"),
        httpx.Response(401, text=f"Authorization: Basic {KEY[:-2]}"),
        httpx.Response(407, html=f"<pre>X-Proxy: {PROXY_PASS}</pre>"),
        httpx.Response(400, json={"detail": {"message": f"see {SIGNED_LINK} now"}}),
        httpx.Response(400, html=f'<a href="{SIGNED_LINK.replace("&", "&amp;")}">here</a>{SIGNED_LINK}'),
        httpx.Response(400, text=f"/bucket/file.gz?X-Goog-Signature={SIGNATURE}"),
        httpx.Response(400, text=f"X-Goog-Algorithm=GOOG4&x-goog-signature={SIGNATURE}"),
        httpx.ConnectError(f"{KEY} {SIGNED_LINK}"),
        httpx.LocalProtocolError(f"Illegal header value b'Basic {KEY}'"),
    ],
    ids=[
        "key", "key at the cut", "key in JSON", "most of the key", "proxy", "link", "link in HTML", "query string",
        "parameters", "transport", "header",
    ],
)  # fmt: skip
def test_no_secret_is_in_an_error(answer):
    api = ScriptedApi(answer)
    with pytest.raises(FullStoryAssetsError) as caught:
        api.client(patience=timedelta(0)).me()
    said = everything_said_by(caught.value)
    assert KEY[:-2] not in said
    assert KEY[4:20] not in said
    assert PROXY_PASS not in said
    assert SIGNATURE not in said


def test_no_secret_is_in_an_error_after_many_tries():
    with pytest.raises(ServerError) as caught:
        ScriptedApi(httpx.ReadTimeout(KEY), httpx.Response(500, text=KEY)).client().me()
    assert KEY not in everything_said_by(caught.value)


def test_the_failed_operations_reason_is_without_secrets():
    operation = ScriptedApi(
        httpx.Response(200, json={"state": "FAILED", "errorDetails": f"{KEY} {SIGNED_LINK}"})
    ).client()
    assert operation.operation("op").error == "[hidden] [hidden]"
