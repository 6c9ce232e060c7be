//! What the processes need from the world, as traits; adapters live in the composition root.

pub mod mail;
pub mod partners;
pub mod payout;

pub use mail::{Attachment, Delivery, Mail, MailError, MailPort, Receipt};
pub use partners::Partners;
pub use payout::{Capabilities, Certainty, Handling, PayoutPort, PayoutRequest, PortError, Word};
