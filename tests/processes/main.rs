//! Every process of ours bears that its worker dies at any write, that each of its steps runs twice, and that each of its steps fails.
//!
//! The databases are made by the shipped binary; the provider here keeps books of its own, by key and amount.

#[cfg(test)]
mod provider;
#[cfg(test)]
mod world;

#[cfg(test)]
mod claims;
#[cfg(test)]
mod journals;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod repeats;
