//! Ports that are free at this moment, for programs that have to be told theirs before they start.
//!
//! Another process may take one between the look and the use; the kernel hands ephemeral ports out
//! in turn, so that this is rare. What can listen on port 0 should do that instead.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// `N` different addresses on the loopback interface on which nobody listens.
pub fn free<const N: usize>() -> [SocketAddr; N] {
    // All are held until all are known; otherwise one could be given out twice.
    let held: [TcpListener; N] = std::array::from_fn(|_| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback interface has free ports")
    });
    held.map(|listener| {
        listener
            .local_addr()
            .expect("a bound socket has an address")
    })
}
