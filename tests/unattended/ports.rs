//! Ports that a service can be started on again after a kill.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that systems give to whoever does not care.
const FIRST: u32 = 20_000;
const COUNT: u32 = 10_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port of 127.0.0.1 that nobody has now, and that nobody is given by chance.
pub(crate) fn free() -> u16 {
    let start = std::process::id() * 61;
    for _ in 0..COUNT {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(port).expect("below 30,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
