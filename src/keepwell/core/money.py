"""Money is whole minor units; quantities and prices are whole units of 10^-8."""

from __future__ import annotations

from functools import lru_cache

from keepwell.core.errors import UsageError

QUANTITY_SCALE = 10**8
"""Units of a quantity or a price per one."""

AMOUNT_LIMIT = 10**13
"""Beyond this many minor units an amount is taken for an error and quarantined."""


@lru_cache
def minor_exponent(currency: str) -> int:
    """Decimal places of a currency's minor unit (2 for CNY and EUR, 0 for JPY).

    Raises:
        UsageError: the code is not in ISO 4217.

    Example:
        >>> minor_exponent("JPY")
        0
    """
    from babel.numbers import get_currency_precision, list_currencies

    if currency not in list_currencies():
        raise UsageError("money.currency-unknown", currency=currency)
    return int(get_currency_precision(currency))
