"""Who is struck: by step, hour, key and share, in the header, for all requests, or for the next exports."""

from collections import Counter

import pytest

from fullstory_assets.sandbox.faults.kinds import STEPS_OF_AN_EXPORT
from fullstory_assets_tests.sandbox_api import HOUR, NOON, START, Api, Clock, sandbox

LATER = {"start": "2026-01-02T13:00:00Z", "end": "2026-01-02T14:00:00Z"}


def asking(fault):
    return {"X-Sandbox-Fault": fault}


def window(number):
    start, end = (START + hour * HOUR for hour in (number, number + 1))
    times = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    return {"timeRange": times, "segmentTimeRange": times}


def statuses(api, operation_id):
    """Return what an operation's poll, its result and its download answer, each asked twice."""
    polls = [api.http.get(f"/operations/v1/{operation_id}") for _ in range(2)]
    path = f"/search/v1/exports/{polls[1].json()['results']['searchExportId']}/results"
    results = [api.http.get(path) for _ in range(2)]
    downloads = [api.bare.get(results[1].json()["location"]) for _ in range(2)]
    return [[answer.status_code for answer in answers] for answers in (polls, results, downloads)]


def test_a_step_can_be_chosen():
    api = Api(sandbox())
    created = api.create(asking("server_error=502@results, rate_limit=1@download"))
    assert statuses(api, created.json()["operationId"]) == [[200, 200], [502, 200], [429, 200]]


def test_faults_for_all_requests_strike_like_those_of_the_header():
    app = sandbox(faults=["server_error=500@me*2", "failed=no room, forbidden@segments"])
    api = Api(app)
    assert [api.http.get("/me").status_code for _ in range(3)] == [500, 500, 200]
    assert api.http.get("/segments/v1").status_code == 403
    assert api.operation(api.operation_id())["errorDetails"] == "no room"
    with pytest.raises(ValueError, match="there are"):
        sandbox(faults=["nonsense"])


def test_an_hour_strikes_exports_of_windows_with_that_moment():
    app = sandbox(faults=["server_error=500@create@2026-01-02T12:30", "failed=no room@2026-01-02T13"])
    api = Api(app)
    assert [api.create().status_code for _ in range(2)] == [500, 200]
    assert api.operation(api.operation_id())["state"] == "COMPLETED"
    assert api.operation(api.operation_id(timeRange=LATER, segmentTimeRange=LATER))["state"] == "FAILED"
    assert api.http.get("/me").status_code == 200
    header = asking("server_error=503@2026-01-02T13")
    assert api.create(header, type=None).json()["code"] == "required_field"


def test_a_key_strikes_its_own_requests_and_what_comes_of_them():
    app = sandbox(faults=["unauthorized@me@key:na1.sandbox.acme", "truncated_gzip@key:na1.sandbox.acme"])
    struck, spared = Api(app, "na1.sandbox.acme"), Api(app)
    assert (struck.http.get("/me").status_code, spared.http.get("/me").status_code) == (401, 200)
    assert len(struck.download(struck.operation_id())) < len(spared.download(spared.operation_id()))


def test_an_export_keeps_its_faults_in_another_process_without_their_conditions():
    clock = Clock()
    api = Api(sandbox(clock, faults=["failed=no room@key:sandbox.acme@2026-01-02T12@0.999999"]))
    operation_id = api.operation_id()
    assert Api(sandbox(clock)).operation(operation_id)["state"] == "FAILED"


def test_a_header_on_every_request_strikes_once_not_once_more_for_the_export():
    fault = "unknown_state@0.7, server_error=503@operation@0.7, failed=no room@0.3"
    plain, always = Api(sandbox()), Api(sandbox())
    always.http.headers.update(asking(fault))
    answers = []
    for api in (plain, always):
        ids = [api.operation_id(asking(fault)) for _ in range(30)]
        polls = [api.http.get(f"/operations/v1/{id_}") for id_ in ids for _ in range(4)]
        answers.append([poll.json().get("state") or poll.status_code for poll in polls])
    assert answers[0] == answers[1]
    assert {*answers[0]} == {"REBALANCING", 503, "FAILED", "COMPLETED"}


def test_faults_for_all_requests_strike_exports_made_before_as_well():
    clock = Clock()
    operation_id = Api(sandbox(clock)).operation_id()
    after = Api(sandbox(clock, faults=["failed=no room"]))
    assert after.operation(operation_id)["state"] == "FAILED"


def outcomes(seed, fault="failed=no room@0.3", windows=60):
    app = sandbox(events_per_hour=0, faults=[fault], seed=seed)
    api = Api(app)
    return [
        "refused" if answer.is_error else api.operation(answer.json()["operationId"])["state"]
        for answer in (api.create(**window(-number)) for number in range(windows))
    ]


@pytest.mark.parametrize(
    ("fault", "word"), [("failed=no room@0.3", "FAILED"), ("server_error=500@create@0.3", "refused")]
)
def test_a_share_strikes_about_so_many_and_the_same_ones_again(fault, word):
    first = outcomes(1, fault)
    assert outcomes(1, fault) == first
    assert outcomes(2, fault) != first
    assert 8 <= Counter(first)[word] <= 28


def test_another_try_of_the_same_request_is_another_chance():
    api = Api(sandbox(faults=["failed=no room@0.5"]))
    states = [api.operation(api.operation_id())["state"] for _ in range(30)]
    assert set(states) == {"FAILED", "COMPLETED"}


def test_a_share_of_requests_is_decided_for_each_step_of_an_export():
    app = sandbox(events_per_hour=0, faults=["server_error=500@0.5"])
    api = Api(app)
    struck = []
    for number in range(40):
        while api.create(**window(-number)).is_error:
            pass
        struck.append({step for text in app.exports[-1].faults for step in text.split("@")[1:]})
    assert all(8 <= sum(step in steps for steps in struck) <= 32 for step in STEPS_OF_AN_EXPORT)
    assert len({frozenset(steps) for steps in struck}) > 5


@pytest.mark.parametrize(("share", "state"), [("0", "COMPLETED"), ("1", "FAILED")])
def test_none_and_all_are_shares_too(share, state):
    assert set(outcomes(1, f"failed=no room@{share}", windows=5)) == {state}


def test_planned_faults_have_steps_and_shares_as_well():
    app = sandbox()
    api = Api(app)
    app.add_fault("server_error=502@operation")
    assert statuses(api, api.operation_id())[0] == [502, 200]
    app.add_fault("failed=no room@0", times=None)
    assert api.operation(api.operation_id())["state"] == "COMPLETED"


def test_one_that_is_gone_is_not_in_the_list():
    api = Api(sandbox())
    api.operation_id(asking("gone"))
    operation_id = api.operation_id(timeRange=NOON)
    assert [row["id"] for row in api.http.get("/operations/v1").json()["operations"]] == [operation_id]
