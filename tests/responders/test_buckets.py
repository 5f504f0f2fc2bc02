"""Whoever has no token left waits for one; nobody waits for what nobody told of."""

from responders.buckets import Bucket, Buckets

_READS = Bucket.of("GET", "https://management.azure.com/subscriptions/AbC/resources?api-version=1")
_DELETES = Bucket.of("DELETE", "https://management.azure.com/subscriptions/abc/resourceGroups/app")
_TENANT = Bucket.of("POST", "https://management.azure.com/providers/Microsoft.ResourceGraph/resources")
_LEFT = "x-ms-ratelimit-remaining-"


class _Hours:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def _told(buckets: Buckets, bucket: Bucket, left: int) -> None:
    buckets.take(bucket)
    level = "subscription" if bucket.subscription else "tenant"
    buckets.answered(bucket, {f"{_LEFT}{level}-{bucket.kind}": str(left)})


def test_nobody_waits_before_an_answer_told_what_is_left() -> None:
    buckets = Buckets(_Hours())
    assert [buckets.take(_READS) for _ in range(500)] == [0.0] * 500


def test_those_without_a_token_wait_one_after_the_other() -> None:
    buckets = Buckets(_Hours())
    _told(buckets, _DELETES, 2)
    assert [round(buckets.take(_DELETES), 2) for _ in range(4)] == [0, 0, 0.1, 0.2]


def test_tokens_come_back_with_time() -> None:
    hours = _Hours()
    buckets = Buckets(hours)
    _told(buckets, _READS, 0)
    hours.at += 1
    assert [buckets.take(_READS) for _ in range(25)] == [0.0] * 25
    assert buckets.take(_READS) > 0


def test_each_subscription_and_each_kind_has_its_own() -> None:
    buckets = Buckets(_Hours())
    _told(buckets, _DELETES, 0)
    assert buckets.take(_READS) == 0
    assert buckets.take(Bucket("def", "deletes")) == 0
    assert buckets.take(_TENANT) == 0
    _told(buckets, _TENANT, 0)
    assert buckets.take(_TENANT) > 0


def test_calls_under_way_are_counted_as_made() -> None:
    buckets = Buckets(_Hours())
    for _ in range(3):
        buckets.take(_READS)
    buckets.answered(_READS, {f"{_LEFT}subscription-reads": "2"})  # the two others are perhaps not in it
    assert buckets.take(_READS) > 0


def test_a_refusal_makes_the_next_wait() -> None:
    buckets = Buckets(_Hours())
    _told(buckets, _READS, 200)
    buckets.take(_READS)
    buckets.answered(_READS, {"Retry-After": "3"}, refused=True)
    assert buckets.take(_READS) > 0


def test_answers_that_tell_nothing_change_nothing() -> None:
    buckets = Buckets(_Hours())
    _told(buckets, _READS, 1)
    buckets.take(_READS)
    buckets.answered(_READS, {})
    assert buckets.take(_READS) > 0
