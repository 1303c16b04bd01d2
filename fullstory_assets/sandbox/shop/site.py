"""What the shop sells and how its pages look: plain data, nothing that happens.

The texts are chosen to be awkward on purpose: quotes, line breaks, backslashes, emoji, scripts that run from right to
left, and letters made of several code points.
"""

from __future__ import annotations

from typing import NamedTuple

HOST = "https://shop.example.com"


class Product(NamedTuple):
    """A thing on sale; `price` is a whole number for some, as properties of type real may be."""

    sku: str
    name: str
    category: str
    price: float
    tags: tuple[str, ...]


class Target(NamedTuple):
    """Something on a page that can be clicked, seen or filled in."""

    text: str
    selector: str


class PageKind(NamedTuple):
    """One sort of page: its address, and what is on it."""

    name: str
    path: str
    cluster: int
    targets: tuple[Target, ...]
    inputs: tuple[Target, ...] = ()
    screen: str = ""


PRODUCTS = (
    Product("LMP-001", "Paper lantern “Mizu”", "lighting", 39, ("new", "paper")),
    Product("LMP-014", "Reading lamp, 2 \u00d7 40 W", "lighting", 64.5, ("brass",)),
    Product("TEA-014", "鉄瓶 cast-iron teapot", "kitchen", 84.5, ("tea", "鉄")),
    Product("MUG-203", 'Mug "Big Handle", 12 oz', "kitchen", 12, ("tea", "gift")),
    Product("BRD-031", "Bread board / Brotbrett groß", "kitchen", 27.95, ("oak",)),
    Product("RUG-077", "Kilim rug 120 \u00d7 180 cm", "textiles", 249, ("wool", "hand-made")),
    Product("BLK-118", "Blanket\nwool, second choice", "textiles", 59.9, ("wool", "sale")),
    Product("CND-005", "Candle «cre\u0300me bru\u0302le\u0301e»", "home", 9.99, ("gift", "scent")),
    Product("CLK-042", "Wall clock 🕰️ with 🐦‍⬛", "home", 119, ("new",)),
    Product("BSK-310", "سلة من القش", "home", 34.25, ("straw", "قش")),
    Product("VAS-900", "Vase \\ tall \\ blue", "home", 45, ()),
    Product("CHR-512", "כיסא נדנדה", "furniture", 310.75, ("oak", "hand-made")),
)
CATEGORIES = ("lighting", "kitchen", "textiles", "home", "furniture")
SEARCHES = (
    "teapot", "lamp shade", "oak chair", "gift < 20", "wool blanket 🧶", "vase “blue”", "קומקום", "مصباح",
    "kerze   groß", "it's a mug\ttabbed", "100% linen", "C:\\rugs",
)  # fmt: skip
SUSPICIOUS_SEARCHES = (("' OR 1=1; --", 1), ('"><script>alert(1)</script>', 2))
"""Entered text and the value of EventModSuspicious that goes with it."""

_NAV = "html body #app header .navbar nav"
_MAIN = "html body #app main"

_HEADER = (
    Target("Shop", f"{_NAV} a .nav-link =href=/c/home"),
    Target("", f"{_NAV} a .logo =href=/"),
    Target("Cart 🛒", f"{_NAV} a .nav-cart =href=/cart"),
)

HOME = PageKind(
    "Home", "/", 605,
    (*_HEADER, Target("Winter sale — up to 40 %", f"{_MAIN} .hero a .cta"), Target("", f"{_MAIN} .hero .slide img"),
     Target("Accept all", "html body #consent .banner button .accept")),
    (Target("Search", f"{_NAV} form .search input #q =type=search"),),
    screen="HomeView",
)  # fmt: skip
CATEGORY = PageKind(
    "Category", "/c/{category}", 611,
    (*_HEADER, Target("Sort by price", f"{_MAIN} .toolbar select .sort"), Target("", f"{_MAIN} .grid .card .photo img"),
     Target("Show more", f"{_MAIN} .grid button .more"), Target("{product}", f"{_MAIN} .grid .card a .title")),
    (Target("Max price", f"{_MAIN} .filters input #max-price =type=number"),),
    screen="CategoryView",
)  # fmt: skip
PRODUCT = PageKind(
    "Product", "/p/{sku}", 617,
    (*_HEADER, Target("Add to cart", f"{_MAIN} .product .buy button .add"),
     Target("", f"{_MAIN} .product .gallery img"),
     Target("{product}", f"{_MAIN} .product h1"), Target("Reviews (12)", f"{_MAIN} .product .tabs a .reviews"),
     Target('He said: "keeps warm"\nfor hours,\r\nreally', f"{_MAIN} .product .reviews article .quote")),
    (Target("Quantity", f"{_MAIN} .product .buy input #qty =type=number"),),
    screen="ProductView",
)  # fmt: skip
SEARCH = PageKind(
    "Search results", "/search?q={query}", 619,
    (*_HEADER, Target("{product}", f"{_MAIN} .results li a .title"), Target("Did you mean …?", f"{_MAIN} .hint a")),
    (Target("{query}", f"{_NAV} form .search input #q =type=search"),),
    screen="SearchView",
)  # fmt: skip
CART = PageKind(
    "Cart", "/cart", 631,
    (*_HEADER, Target("Checkout", f"{_MAIN} .cart .summary button .checkout"),
     Target("Remove", f"{_MAIN} .cart .line button .remove"), Target("{product}", f"{_MAIN} .cart .line a .title")),
    (Target("Gift code", f"{_MAIN} .cart form .coupon input #code =type=text"),),
    screen="CartView",
)  # fmt: skip
CHECKOUT = PageKind(
    "Checkout", "/checkout?step={step}", 641,
    (Target("Pay now", f"{_MAIN} .checkout form button .pay"), Target("Back", f"{_MAIN} .checkout a .back"),
     Target("I agree to the terms", f"{_MAIN} .checkout form label .terms")),
    (Target("Name", f"{_MAIN} .checkout form input #name =type=text"),
     Target("Street", f"{_MAIN} .checkout form input #street =type=text"),
     Target("Town", f"{_MAIN} .checkout form input #town =type=text"),
     Target("••••", f"{_MAIN} .checkout form input #card .fs-mask =type=text")),
    screen="CheckoutView",
)  # fmt: skip
DONE = PageKind(
    "Order confirmed", "/checkout/done?order={order}", 643,
    (*_HEADER, Target("Print", f"{_MAIN} .done button .print"), Target("Thank you! 🎉", f"{_MAIN} .done h1")),
    screen="DoneView",
)  # fmt: skip
ACCOUNT = PageKind(
    "Account", "/account#/{tab}", 647,
    (*_HEADER, Target("Orders", f"{_MAIN} .account nav a .orders"), Target("Log out", f"{_MAIN} .account nav a .out")),
    (Target("Email", f"{_MAIN} .account form input #email =type=email"),),
    screen="AccountView",
)  # fmt: skip

NEXT_PAGES: dict[str, tuple[PageKind, ...]] = {
    "Home": (CATEGORY, CATEGORY, SEARCH, PRODUCT, ACCOUNT),
    "Category": (PRODUCT, PRODUCT, PRODUCT, CATEGORY, HOME),
    "Product": (CART, CATEGORY, PRODUCT, SEARCH),
    "Search results": (PRODUCT, PRODUCT, SEARCH, HOME),
    "Cart": (CHECKOUT, CHECKOUT, PRODUCT, HOME),
    "Checkout": (DONE, DONE, CART, CHECKOUT),
    "Order confirmed": (HOME, ACCOUNT),
    "Account": (HOME, CATEGORY),
}
"""Where people go from each page; repeated where it is more likely."""

LANDING_PAGES = (HOME, HOME, HOME, PRODUCT, PRODUCT, CATEGORY, SEARCH)
REFERRERS = (
    "",
    "",
    "https://search.example.net/",
    "https://news.example.org/home?utm_source=mail&utm_campaign=w%C3%A4rme",
)
