"""What the world would be without the attack."""

from sandbox.innocent import Innocent

Json = dict[str, object]


def test_what_honest_people_do_after_the_attack_began_belongs_to_it() -> None:
    world: dict[str, Json] = {"rule": {"open": False}, "record": {"to": 1}}
    innocent = Innocent(lambda: dict(world))

    with innocent.watch(honest=True):
        world["old"] = {}
    with innocent.watch(honest=False):
        world["rule"], world["planted"] = {"open": True}, {}
    with innocent.watch(honest=True):
        world["record"] = {"to": 2}
        del world["old"]
        world["new"] = {}

    assert innocent.state == {"rule": {"open": False}, "record": {"to": 2}, "new": {}}
