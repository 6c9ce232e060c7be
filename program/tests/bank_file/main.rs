//! Files for the bank against the schema of ISO 20022 and a reader of their own.

#[cfg(test)]
mod checker;
#[cfg(test)]
mod files;
