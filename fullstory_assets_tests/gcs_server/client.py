"""Google's client, pointed at the server of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from google.auth.credentials import AnonymousCredentials, Credentials
from google.cloud.storage import Client
from requests import Response


@contextmanager
def connected(url: str, credentials: Credentials | None = None) -> Iterator[Client]:
    """Give a client of the server at `url`, which closes what it opened."""
    client = Client(
        project="p", credentials=credentials or AnonymousCredentials(), client_options={"api_endpoint": url}
    )
    answers: list[Response] = []
    # The client forgets to close the answers after which it tries a download again.
    client._http.hooks["response"].append(lambda answer, *_, **__: answers.append(answer))
    try:
        with pytest.MonkeyPatch.context() as patch:
            # It would also ask for the bucket's metadata, on a thread that outlives the test.
            patch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
            yield client
    finally:
        for answer in answers:
            answer.close()
        client.close()
