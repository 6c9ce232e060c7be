//! The edges to the world: what is sent, what comes in, and what is made of it. The others are in processes of their own.

#[cfg(test)]
mod child;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod service;
#[cfg(test)]
mod smtp;

#[cfg(test)]
mod http_service;
#[cfg(test)]
mod mail_smtp;
#[cfg(test)]
mod payout_calls;
#[cfg(test)]
mod payout_contract;
#[cfg(test)]
mod payout_faults;
