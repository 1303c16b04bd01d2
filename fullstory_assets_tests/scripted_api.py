"""A FullStory API that answers what a test tells it to, for tests of the client and of what stands on it."""

import json
import traceback
from collections.abc import Callable

import httpx

from fullstory_assets.client import FullStoryClient

KEY = "na1.bm90IGEgcmVhbCBrZXk/+=="
PROXY_PASS = "proxy-pass-1234"
SIGNATURE = "0123456789abcdef"
SIGNED_LINK = f"https://storage.test/bucket/file.gz?X-Goog-Algorithm=GOOG4&X-Goog-Signature={SIGNATURE}"

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class ScriptedApi:
    """Answers with what it is given, in order, the last one for ever; remembers requests and waits."""

    def __init__(self, *answers: Answer) -> None:
        self.answers: list[Answer] = list(answers)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return as_sent(answer(request) if callable(answer) else answer)

    def client(self, **options) -> FullStoryClient:
        settings = {"api_url": "https://api.test/base", "wait": self.waits.append, "headers": {"X-Proxy": PROXY_PASS}}
        return FullStoryClient(KEY, transport=httpx.MockTransport(self), **(settings | options))


def as_sent(answer: httpx.Response) -> httpx.Response:
    """Return `answer` as it comes off a wire, to be read once, so that the same one can be given again."""
    if not answer.is_closed:
        return answer
    return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


def body_of(request: httpx.Request) -> dict[str, object]:
    return json.loads(request.content)


def everything_said_by(error: BaseException | None) -> str:
    """Return all texts of an error and of the errors it came from, shown or suppressed."""
    said = []
    while error is not None:
        said += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__
    return "\n".join(said)
