"""How many kernels are worth having ready, by what was asked for."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.demand import Demand


def test_a_burst_is_remembered_for_a_while() -> None:
    demand = Demand()
    assert demand.burst(0) == 0
    for number in range(20):
        demand.note(100 + number / 10)
    demand.note(200)
    assert demand.burst(200) == 20
    # Fifteen minutes after its last, the later and smaller one is what is left.
    assert demand.burst(1002) == 1
    assert demand.burst(1101) == 0


def _by_hand(times: list[float], now: float) -> int:
    sizes = {then: sum(then - 10 < other <= then for other in times[: number + 1]) for number, then in enumerate(times)}
    return max((size for then, size in sizes.items() if then > now - 900), default=0)


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(0, 2000))
def test_it_is_the_largest_of_those_remembered(gaps: list[int], later: int) -> None:
    demand, times, now = Demand(), [], 0.0
    for gap in gaps:
        now += gap / 4
        times.append(now)
        demand.note(now)
    now += later
    assert demand.burst(now) == _by_hand(times, now)
