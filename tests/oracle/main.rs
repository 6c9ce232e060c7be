//! A second, naive implementation of what an invoice earns, written from the domain's rules alone: no code of the product computes here
//! but its reader of programme files and conditions. It looks everything up again in the plain rows of the imports, as slowly as it may.
//!
//! For each kept world it computes every line of the first settlement from the facts recorded before it, and compares them with what
//! the binary prints. Programmes that promote between reviews are left out: their tiers are not computed here.

#[cfg(test)]
mod chain;
#[cfg(test)]
mod earn;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod invoices;
#[cfg(test)]
mod members;
#[cfg(test)]
mod ranking;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod revenue;
#[cfg(test)]
mod worlds;
