"""What looks like a card number, however it is written: in one piece, in groups, with its expiry date beside it."""

import re
from collections.abc import Iterator

#: The digits of a card number (ISO/IEC 7812-1).
SHORTEST, LONGEST = 13, 19
#: The fewest digits of a first group, and the most groups: nobody writes them otherwise, and dates and lists are.
FOUR, MOST_GROUPS = 4, 5
#: The digits of an article's number (GTIN-13), which shops use as SKU.
ARTICLE = 13

#: Groups of Amex, of Diners, of old Visa cards and of UnionPay.
_OTHERS = ([4, 6, 5], [4, 6, 4], [4, 3, 3, 3], [6, 13])

_SEPARATOR = r"[\s._/\u2010-\u2015\u2212-]{1,3}"
# No letter, digit or underscore touches it: tokens may hold long numbers.
_NUMBERS = re.compile(rf"(?<![0-9A-Za-z_])\d+(?:{_SEPARATOR}\d+)*(?![0-9A-Za-z_])")


def looks_like_card_number(text: str) -> bool:
    """Whether a text holds 13 to 19 digits, in the groups that cards have, whose check digit is right."""
    return any(_checks(number) and not _is_article(number) for number in _candidates(text))


def _candidates(text: str) -> Iterator[str]:
    """Whatever else stands before or behind it: numbers of one group, or of several that belong together."""
    for found in _NUMBERS.finditer(text):
        groups = re.findall(r"\d+", found.group())
        for first, group in enumerate(groups):
            if len(group) < FOUR:
                continue
            number, sizes = "", list[int]()
            for following in groups[first : first + MOST_GROUPS]:
                number += following
                sizes.append(len(following))
                if len(number) > LONGEST:
                    break
                if len(number) >= SHORTEST and _belong_together(sizes):
                    yield number


def _belong_together(sizes: list[int]) -> bool:
    """Equal groups of which the last may be shorter, as in 4-4-4-4 and 4-4-4-4-3, or those of other cards."""
    return (len(set(sizes[:-1])) <= 1 and sizes[-1] <= sizes[0]) or sizes in _OTHERS


def _checks(number: str) -> bool:
    """Whether the check digit is a card's (ISO/IEC 7812-1, annex B)."""
    digits = [int(digit) for digit in number]
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_article(number: str) -> bool:
    """Whether the check digit is an article's (GS1): every tenth of them is right for a card as well."""
    digits = [int(digit) for digit in number]
    return len(digits) == ARTICLE and (sum(digits[-1::-2]) + 3 * sum(digits[-2::-2])) % 10 == 0
