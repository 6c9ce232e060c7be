//! What is earned and not yet paid.
