"""Allocation: examples by hand, properties, and a brute-force oracle on small cases."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain import allocation
from checkout.domain.allocation import Allocation, Available, Demand, Hold, Shortage, ShortLine, Warehouse, allocate
from checkout.domain.messages import Adjustment
from checkout.domain.words import OnShortage

MAIN = Warehouse(1, "main", priority=1)
NORTH = Warehouse(2, "north", priority=2)
SOUTH = Warehouse(3, "south", priority=3, countries=frozenset({"IT", "ES"}))

CUP, TEA, POT = (Demand(1, "CUP", 5), Demand(2, "TEA", 2), Demand(3, "POT", 1))


def test_one_warehouse_that_has_all_is_preferred_to_a_better_one_that_has_most() -> None:
    stock = [Available(1, MAIN, 5), Available(1, NORTH, 5), Available(2, NORTH, 2)]
    assert allocate([CUP, TEA], stock, "DE") == Allocation((Hold(1, "CUP", 2, 5), Hold(2, "TEA", 2, 2)), (NORTH,))


def test_among_equals_the_first_by_priority_serves() -> None:
    stock = [Available(1, NORTH, 9), Available(1, MAIN, 9)]
    assert allocate([CUP], stock, "DE") == Allocation((Hold(1, "CUP", 1, 5),), (MAIN,))


def test_a_line_is_split_by_priority_only_when_no_warehouse_has_all_of_it() -> None:
    stock = [Available(1, MAIN, 3), Available(1, NORTH, 4)]
    assert allocate([CUP], stock, "DE") == Allocation((Hold(1, "CUP", 1, 3), Hold(1, "CUP", 2, 2)), (MAIN, NORTH))


def test_a_line_stays_whole_where_a_chosen_warehouse_has_all_of_it() -> None:
    stock = [Available(1, MAIN, 3), Available(1, NORTH, 5), Available(2, MAIN, 2)]
    assert allocate([CUP, TEA], stock, "DE") == Allocation((Hold(1, "CUP", 2, 5), Hold(2, "TEA", 1, 2)), (MAIN, NORTH))


def test_a_warehouse_that_does_not_ship_there_is_not_counted() -> None:
    stock = [Available(1, SOUTH, 9), Available(1, MAIN, 2)]
    assert allocate([CUP], stock, "DE") == Shortage((ShortLine("CUP", 5, 2),))
    assert allocate([CUP], stock, "IT") == Allocation((Hold(1, "CUP", 3, 5),), (SOUTH,))


def test_a_shortage_lists_every_short_line_in_the_order_of_the_cart() -> None:
    stock = [Available(1, MAIN, 4), Available(3, MAIN, 1)]
    assert allocate([TEA, POT, CUP], stock, "DE") == Shortage((ShortLine("TEA", 2, 0), ShortLine("CUP", 5, 4)))


def test_reduce_takes_what_there_is_and_says_so() -> None:
    stock = [Available(1, MAIN, 4), Available(3, MAIN, 1)]
    assert allocate([TEA, POT, CUP], stock, "DE", OnShortage.REDUCE) == Allocation(
        (Hold(1, "CUP", 1, 4), Hold(3, "POT", 1, 1)), (MAIN,), (Adjustment("TEA", 2, 0), Adjustment("CUP", 5, 4))
    )


def test_reduce_to_nothing_is_a_shortage() -> None:
    assert allocate([TEA], [], "DE", OnShortage.REDUCE) == Shortage((ShortLine("TEA", 2, 0),))


def test_lines_of_one_variant_are_added_up_before_they_are_compared() -> None:
    assert allocate([CUP, CUP], [Available(1, MAIN, 9)], "DE") == Shortage((ShortLine("CUP", 10, 9),))


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_quantity_below_one_is_refused(quantity: int) -> None:
    with pytest.raises(ValueError, match="CUP: quantity must be at least 1"):
        allocate([Demand(1, "CUP", quantity)], [], "DE")


def test_nothing_wanted_holds_nothing() -> None:
    assert allocate([], [Available(1, MAIN, 1)], "DE") == Allocation((), ())


def test_beyond_the_sets_that_are_tried_all_lines_are_served_without_a_superfluous_warehouse() -> None:
    places = [Warehouse(number, f"w{number}", priority=number) for number in range(1, 31)]
    stock = [Available(1, place, 2) for place in places]
    result = allocate([Demand(1, "CUP", 31)], stock, "DE")
    assert isinstance(result, Allocation)
    assert (result.units, len(result.warehouses)) == (31, 16)
    assert [w.id for w in result.warehouses] == list(range(1, 17))


# -- properties ------------------------------------------------------------------------------------------------------

warehouses = st.lists(
    st.builds(
        lambda number, priority, countries: (number, priority, countries),
        st.integers(1, 5),
        st.integers(0, 3),
        st.sampled_from([frozenset(), frozenset({"DE"}), frozenset({"FR"})]),
    ),
    max_size=5,
    unique_by=lambda entry: entry[0],
).map(lambda entries: [Warehouse(n, f"w{n}", priority, countries) for n, priority, countries in entries])


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Demand], list[Available]]:
    """A cart of up to four lines over up to five warehouses."""
    places = draw(warehouses)
    variants = draw(st.lists(st.integers(1, 4), max_size=4, unique=True))
    lines = [Demand(variant, f"S{variant}", draw(st.integers(1, 6))) for variant in variants]
    stock = [Available(variant, place, draw(st.integers(0, 6))) for place in places for variant in range(1, 5)]
    return lines, draw(st.permutations(stock))


def oracle(lines: list[Demand], stock: list[Available]) -> tuple[int, ...] | None:
    """The ids of the best set by trying all of them, or None when stock does not suffice."""
    places = sorted(
        {row.warehouse for row in stock if row.warehouse.serves("DE")}, key=lambda place: (place.priority, place.id)
    )
    for size in range(len(places) + 1):
        for chosen in combinations(places, size):
            if all(
                sum(row.quantity for row in stock if row.warehouse in chosen and row.variant_id == line.variant_id)
                >= line.quantity
                for line in lines
            ):
                return tuple(place.id for place in chosen)
    return None


@given(cases())
def test_the_set_of_warehouses_is_the_one_that_trying_all_of_them_finds(
    case: tuple[list[Demand], list[Available]],
) -> None:
    lines, stock = case
    result = allocate(lines, stock, "DE")
    best = oracle(lines, stock)
    if best is None:
        assert isinstance(result, Shortage)
    else:
        assert isinstance(result, Allocation)
        assert tuple(place.id for place in result.warehouses) == best


@given(cases(), st.sampled_from(OnShortage), st.sampled_from([0, allocation.SETS_TRIED]))
def test_what_is_held_is_what_is_wanted_and_is_there(
    case: tuple[list[Demand], list[Available]], on_shortage: OnShortage, sets_tried: int
) -> None:
    lines, stock = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allocation, "SETS_TRIED", sets_tried)
        result = allocate(lines, stock, "DE", on_shortage)
    there_is = {
        line.sku: sum(r.quantity for r in stock if r.variant_id == line.variant_id and r.warehouse.serves("DE"))
        for line in lines
    }
    short = [line for line in lines if there_is[line.sku] < line.quantity]
    if isinstance(result, Shortage):
        assert result.lines == tuple(ShortLine(line.sku, line.quantity, there_is[line.sku]) for line in short)
        assert short
        assert on_shortage is OnShortage.FAIL or not any(there_is.values())
        return
    figures = {(row.variant_id, row.warehouse.id): row.quantity for row in stock if row.warehouse.serves("DE")}
    for hold in result.holds:
        assert 1 <= hold.quantity <= figures[hold.variant_id, hold.warehouse_id]
    assert len({(hold.variant_id, hold.warehouse_id) for hold in result.holds}) == len(result.holds)
    for line in lines:
        held = sum(hold.quantity for hold in result.holds if hold.variant_id == line.variant_id)
        assert held == min(line.quantity, there_is[line.sku])
    assert result.adjustments == tuple(Adjustment(line.sku, line.quantity, there_is[line.sku]) for line in short)
    assert {hold.warehouse_id for hold in result.holds} == {place.id for place in result.warehouses}
    assert list(result.holds) == sorted(result.holds, key=lambda hold: (hold.variant_id, hold.warehouse_id))


@given(cases())
def test_the_order_of_lines_and_of_rows_does_not_matter(
    case: tuple[list[Demand], list[Available]],
) -> None:
    lines, stock = case
    first = allocate(lines, stock, "DE")
    second = allocate(list(reversed(lines)), list(reversed(stock)), "DE")
    if isinstance(first, Allocation) and isinstance(second, Allocation):
        assert (first.holds, first.warehouses) == (second.holds, second.warehouses)
    else:
        assert isinstance(first, Shortage)
        assert isinstance(second, Shortage)
        assert set(first.lines) == set(second.lines)
