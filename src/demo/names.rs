//! Names that are plainly made up: a number and a word.

/// Words for partners, in three scripts, so that statements show that they can print them.
pub(crate) const PARTNERS: [&str; 24] = [
    "Harbor",
    "Meadow",
    "Λιμάνι",
    "Lantern",
    "Granite",
    "Гавань",
    "Orchard",
    "Compass",
    "Θάλασσα",
    "Willow",
    "Beacon",
    "Мост",
    "Quarry",
    "Ferry",
    "Ελιά",
    "Cinder",
    "Ridge",
    "Река",
    "Anchor",
    "Juniper",
    "Άνεμος",
    "Mosaic",
    "Summit",
    "Поле",
];

/// Words for customers.
pub(crate) const CUSTOMERS: [&str; 20] = [
    "Maple", "Pebble", "Saffron", "Thimble", "Walnut", "Indigo", "Marble", "Clover", "Copper", "Velvet", "Pepper", "Basalt", "Ginger", "Cobalt",
    "Linen", "Amber", "Sorrel", "Hazel", "Flint", "Birch",
];

/// What invoices are for.
pub(crate) const PRODUCTS: [&str; 4] = ["platform", "storage", "support", "training"];
