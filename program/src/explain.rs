//! Why an item earned what it earned.
