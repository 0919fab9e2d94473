//! Ports that are free at this moment, for programs that have to be told theirs before they start.
//!
//! They lie below those that the kernel gives to outgoing connections: a broker that was killed
//! must find its port free when it comes back, and a client that keeps trying an unused port of the
//! kernel's range will one day be given that very port, and talk to itself. Another process may
//! still take one between the look and the use.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Linux hands out 32768 and above.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// `N` different addresses on the loopback interface on which nobody listens. No address is given
/// out twice by one process before all others were.
pub fn free<const N: usize>() -> [SocketAddr; N] {
    std::array::from_fn(|_| next())
}

fn next() -> SocketAddr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Test processes that run side by side begin at different places.
    let begin = std::process::id().wrapping_mul(89);
    for _ in 0..COUNT {
        let turn = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + turn).expect("the range ends below 32768");
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener
                .local_addr()
                .expect("a bound socket has an address");
        }
    }
    panic!("no free port from {FIRST} to {}", FIRST + COUNT - 1);
}
