//! The door: connections, and the bytes that come and go on them.
//!
//! The requests of a connection are answered one after the other, as its client expects.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::protocol::{self, Connection, Failure};
use crate::state::Shared;

/// Read at once, if the client sends so much.
const READ_BYTES: usize = 64 << 10;

/// Accepts clients until the broker ends.
pub(crate) async fn run(shared: Arc<Shared>, listener: TcpListener) {
    let mut end = shared.end.subscribe();
    let open = Arc::new(AtomicUsize::new(0));
    let ids = AtomicU64::new(0);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = end.wait_for(|ended| *ended) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        if open.load(Ordering::Relaxed) >= shared.settings.max_connections {
            tracing::warn!(%peer, "too many connections: this one is closed");
            continue;
        }
        let (shared, place) = (shared.clone(), Place::take(&open));
        let id = ids.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let mut end = shared.end.subscribe();
            tokio::select! {
                served = serve(&shared, stream, peer, id) => match served {
                    Ok(()) => {}
                    Err(Closed::Io(error)) => tracing::debug!(%peer, %error, "a client is gone"),
                    Err(closed) => tracing::warn!(%peer, reason = %closed, "connection closed"),
                },
                _ = end.wait_for(|ended| *ended) => {}
            }
            drop(place);
        });
    }
}

/// A place among the connections, given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a connection was closed.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error("a request of {size} bytes, where {most} are allowed")]
    TooLarge { size: usize, most: usize },
}

async fn serve(
    shared: &Shared,
    mut stream: TcpStream,
    peer: SocketAddr,
    id: u64,
) -> Result<(), Closed> {
    stream.set_nodelay(true)?;
    let connection = Connection {
        id,
        local: stream.local_addr()?,
        host: StrBytes::from_string(peer.ip().to_string()),
        bell: Arc::new(Notify::new()),
    };
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    while let Some(request) = next(&mut stream, &mut buffer, shared).await? {
        if let Some(reply) = protocol::answer(shared, &connection, request).await? {
            stream.write_all_buf(&mut Runs::of(reply)).await?;
        }
    }
    Ok(())
}

/// The runs of an answer, handed to the system together.
struct Runs(VecDeque<Bytes>);

impl Runs {
    fn of(reply: Vec<Bytes>) -> Self {
        Self(reply.into_iter().filter(|run| !run.is_empty()).collect())
    }
}

impl Buf for Runs {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |run| run)
    }

    fn advance(&mut self, mut n: usize) {
        while let Some(run) = self.0.front_mut() {
            if run.len() > n {
                return run.advance(n);
            }
            n -= run.len();
            self.0.pop_front();
        }
        assert_eq!(n, 0, "more was sent than there was");
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(&self.0);
        filled
            .map(|(slice, run)| *slice = IoSlice::new(run))
            .count()
    }
}

/// The next request; none if the client has closed the connection.
async fn next(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    shared: &Shared,
) -> Result<Option<Bytes>, Closed> {
    let most = shared.settings.max_request_bytes;
    loop {
        let mut wanted = READ_BYTES;
        if buffer.len() >= 4 {
            let size = (&buffer[..4]).get_u32() as usize;
            if size > most {
                return Err(Closed::TooLarge { size, most });
            }
            if buffer.len() >= 4 + size {
                buffer.advance(4);
                return Ok(Some(buffer.split_to(size).freeze()));
            }
            wanted = 4 + size - buffer.len();
        }
        // Grown as bytes arrive: what a client merely announces takes no memory.
        buffer.reserve(wanted.min(1 << 20));
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}
