"""Views: what they say of a line, and how far they count."""

from centralita.estimate import COUNTED_MAX, before_in_queue
from centralita.lines import AHEAD_MAX
from centralita.look import contact_view, queue_view
from tests.engine.floor import Floor


def test_longest_wait_is_that_of_the_oldest_still_waiting() -> None:
    floor = Floor("skills = {en = 3}")
    engine = floor.engine
    first_ns = engine.now_ns
    floor.admit("phone")
    floor.pass_time(10)
    second = floor.admit("phone")
    view = queue_view(engine, "sales")
    assert view is not None
    assert view.longest_wait_since_ns == first_ns
    floor.sign_in("ana")
    view = queue_view(engine, "sales")
    assert view is not None
    assert (view.waiting, view.longest_wait_since_ns) == (1, floor.contact(second).wait_from_ns)


def test_place_in_a_queue_that_nobody_serves_is_counted_so_far_and_no_further() -> None:
    floor = Floor("skills = {en = 3}")
    numbers = [floor.admit() for _ in range(AHEAD_MAX + 10)]
    for place in (1, 2, 60, AHEAD_MAX):
        view = contact_view(floor.engine, numbers[place - 1])
        assert view is not None
        assert view.position == place
    last = contact_view(floor.engine, numbers[-1])
    assert last is not None
    assert last.position == AHEAD_MAX + 1


def test_place_in_a_queue_is_exact_near_its_front_and_sampled_behind() -> None:
    floor = Floor("skills = {en = 3}")
    numbers = [floor.admit() for _ in range(20 * COUNTED_MAX)]
    for ahead, number in enumerate(numbers):
        found = before_in_queue(floor.engine, floor.contact(number))
        if ahead <= COUNTED_MAX:
            assert found == ahead
        else:
            assert abs(found - ahead) <= len(numbers) / COUNTED_MAX
