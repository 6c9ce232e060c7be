//! Records facts under their external ids.
