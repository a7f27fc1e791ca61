"""The search attributes by which ops find checkouts in the Temporal UI. Never personal data: they are not encrypted."""

STATE = "CheckoutState"
PHASE = "CheckoutPhase"
CART = "CheckoutCart"
CUSTOMER = "CheckoutCustomer"
ITEMS = "CheckoutItems"
ORDER = "CheckoutOrder"
FAILURE = "CheckoutFailure"
TOTAL = "CheckoutTotal"
DEADLINE = "CheckoutDeadline"

#: Name and type, by the server's names of the types.
TYPES = {
    STATE: "Keyword",
    PHASE: "Keyword",
    CART: "Keyword",
    CUSTOMER: "Keyword",
    ITEMS: "Keyword",
    ORDER: "Keyword",
    FAILURE: "Keyword",
    TOTAL: "Int",
    DEADLINE: "Datetime",
}
