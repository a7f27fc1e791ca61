"""Which warehouses a checkout's units come from: one that can serve all lines, else the fewest, by priority.

Pure: the caller reads the stock rows (locked, in a fixed order) and writes the holds that come out of here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

from checkout.domain.messages import Adjustment
from checkout.domain.words import OnShortage

#: How many sets of warehouses are tried for the fewest. Beyond it (about 12 warehouses that could all help) the set is
#: made greedily: it serves all lines and none of its warehouses is superfluous, but a smaller one may exist.
SETS_TRIED = 4_000


@dataclass(frozen=True)
class Demand:
    """Units of a variant that a cart wants; ``quantity`` >= 1."""

    variant_id: int
    sku: str
    quantity: int


@dataclass(frozen=True)
class Warehouse:
    """A place that ships: the lowest ``priority`` comes first; ``countries`` (ISO 3166 alpha-2) empty means all."""

    id: int
    code: str
    priority: int
    countries: frozenset[str] = frozenset()

    def serves(self, country: str) -> bool:
        """Whether it ships to the country."""
        return not self.countries or country in self.countries


@dataclass(frozen=True)
class Available:
    """Units of a variant that a warehouse could still hold: ``on_hand - reserved``."""

    variant_id: int
    warehouse: Warehouse
    quantity: int


@dataclass(frozen=True)
class Hold:
    """Units of a variant to be held in a warehouse; ``quantity`` >= 1."""

    variant_id: int
    sku: str
    warehouse_id: int
    quantity: int


@dataclass(frozen=True)
class Allocation:
    """What to hold, sorted by (variant, warehouse) as rows are locked, and what was taken less than wanted."""

    holds: tuple[Hold, ...]
    warehouses: tuple[Warehouse, ...]
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def units(self) -> int:
        """How many units are held in all."""
        return sum(hold.quantity for hold in self.holds)


@dataclass(frozen=True)
class ShortLine:
    """A line that stock cannot serve: what was wanted and what there is in the warehouses that ship there."""

    sku: str
    requested: int
    available: int


@dataclass(frozen=True)
class Shortage:
    """Stock does not suffice; ``lines`` has every short line, in the order of the cart."""

    lines: tuple[ShortLine, ...]


def allocate(
    lines: Iterable[Demand],
    stock: Iterable[Available],
    country: str,
    on_shortage: OnShortage = OnShortage.FAIL,
) -> Allocation | Shortage:
    """Choose the warehouses for ``lines`` shipped to ``country``.

    One warehouse that has everything is preferred, then two, and so on; among equals the one whose warehouses come
    first by priority (ties: by id). Within the chosen ones a line comes whole from the first that has all of it, else
    it is split by priority. Lines of the same variant are added up before anything is compared.

    With ``OnShortage.REDUCE`` a short line takes what there is, one that reaches zero is dropped, and both are said in
    ``adjustments``; when nothing at all is left, that is a shortage too. Raises ValueError for a quantity below 1.
    """
    wanted = _merge(lines)
    reachable = [row for row in stock if row.quantity > 0 and row.warehouse.serves(country)]
    there_is: dict[int, int] = {}
    for row in reachable:
        there_is[row.variant_id] = there_is.get(row.variant_id, 0) + row.quantity
    short = tuple(
        ShortLine(line.sku, line.quantity, there_is.get(line.variant_id, 0))
        for line in wanted
        if there_is.get(line.variant_id, 0) < line.quantity
    )
    if short and (on_shortage is OnShortage.FAIL or not any(there_is.get(line.variant_id) for line in wanted)):
        return Shortage(short)
    taken = [
        Demand(line.variant_id, line.sku, min(line.quantity, there_is[line.variant_id]))
        for line in wanted
        if there_is.get(line.variant_id)
    ]
    figures = _by_warehouse(taken, reachable)
    chosen = _fewest(taken, figures)
    holds = sorted(_holds(taken, chosen, figures), key=lambda hold: (hold.variant_id, hold.warehouse_id))
    return Allocation(
        tuple(holds), tuple(chosen), tuple(Adjustment(line.sku, line.requested, line.available) for line in short)
    )


#: Units by warehouse and variant, of the variants that are wanted.
_Figures = Mapping[Warehouse, Mapping[int, int]]


def _merge(lines: Iterable[Demand]) -> list[Demand]:
    merged: dict[int, Demand] = {}
    for line in lines:
        if line.quantity < 1:
            raise ValueError(f"{line.sku}: quantity must be at least 1, not {line.quantity}")
        before = merged.get(line.variant_id)
        merged[line.variant_id] = Demand(
            line.variant_id, line.sku, line.quantity + (before.quantity if before is not None else 0)
        )
    return list(merged.values())


def _by_warehouse(taken: Sequence[Demand], reachable: Iterable[Available]) -> _Figures:
    wanted = {line.variant_id for line in taken}
    figures: dict[Warehouse, dict[int, int]] = {}
    for row in reachable:
        if row.variant_id in wanted:
            units = figures.setdefault(row.warehouse, {})
            units[row.variant_id] = units.get(row.variant_id, 0) + row.quantity
    return dict(sorted(figures.items(), key=lambda item: (item[0].priority, item[0].id)))


def _suffices(warehouses: Iterable[Warehouse], taken: Sequence[Demand], figures: _Figures) -> bool:
    rows = [figures[warehouse] for warehouse in warehouses]
    return all(sum(row.get(line.variant_id, 0) for row in rows) >= line.quantity for line in taken)


def _fewest(taken: Sequence[Demand], figures: _Figures) -> list[Warehouse]:
    """The smallest set that suffices, first by priority; all warehouses together are known to suffice."""
    candidates = list(figures)
    needed = {w for w in candidates if not _suffices((o for o in candidates if o is not w), taken, figures)}
    others = [warehouse for warehouse in candidates if warehouse not in needed]
    tried = 0
    for extra in range(len(others) + 1):
        tried += comb(len(others), extra)
        if tried > SETS_TRIED:
            return _without_superfluous(candidates, taken, figures)
        for addition in combinations(others, extra):
            members = needed.union(addition)
            if _suffices(members, taken, figures):
                return [warehouse for warehouse in candidates if warehouse in members]
    return candidates


def _without_superfluous(candidates: list[Warehouse], taken: Sequence[Demand], figures: _Figures) -> list[Warehouse]:
    """Leave warehouses out, those with the fewest wanted units (then the last by priority) first, while it suffices."""
    wanted = {line.variant_id: line.quantity for line in taken}
    use = {w: sum(min(units, wanted[variant]) for variant, units in figures[w].items()) for w in candidates}
    kept = list(candidates)
    for warehouse in sorted(candidates, key=lambda w: (use[w], -candidates.index(w))):
        rest = [other for other in kept if other is not warehouse]
        if _suffices(rest, taken, figures):
            kept = rest
    return kept


def _holds(taken: Sequence[Demand], chosen: Sequence[Warehouse], figures: _Figures) -> Iterable[Hold]:
    for line in taken:
        whole = next((w for w in chosen if figures[w].get(line.variant_id, 0) >= line.quantity), None)
        left = line.quantity
        for warehouse in (whole,) if whole is not None else chosen:
            units = min(left, figures[warehouse].get(line.variant_id, 0))
            if units:
                yield Hold(line.variant_id, line.sku, warehouse.id, units)
                left -= units
