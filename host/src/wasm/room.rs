//! The closed room: WASI for a guest that must not know where it is.
//!
//! No files, no sockets, no environment, no arguments, an empty standard input. The wall clock is
//! the time of the rows at hand, the monotonic clock moves only when it is looked at, sleep is over
//! at once, and random numbers follow from a seed: a replay gives the same answers. Standard output
//! and standard error are lines of the service's log. Nothing here ever blocks.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::bindings::{clocks, random};
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamResult, subscribe};
use wasmtime_wasi::{WasiCtx, async_trait};

use super::log::{Level, Log};

/// Bytes of random numbers that one call of the guest may ask for.
const RANDOM_BYTES: u64 = 1 << 20;

/// What an instance has of WASI.
pub(super) struct Room {
    pub(super) context: WasiCtx,
    pub(super) resources: ResourceTable,
    time_ms: i64,
    monotonic_ns: u64,
    random: u64,
}

impl Room {
    pub(super) fn new(log: &Log) -> Room {
        let context = WasiCtx::builder()
            .stdout(Lines::new(log.clone(), Level::Info))
            .stderr(Lines::new(log.clone(), Level::Warn))
            .build();
        Room {
            context,
            resources: ResourceTable::new(),
            time_ms: 0,
            monotonic_ns: 0,
            random: 0,
        }
    }

    /// What the wall clock says from now on.
    pub(super) fn set_time(&mut self, time_ms: i64) {
        self.time_ms = time_ms;
    }

    /// Where the random numbers start anew.
    pub(super) fn seed(&mut self, seed: u64) {
        self.random = seed;
    }

    /// SplitMix64: small, and the same everywhere.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        if length > RANDOM_BYTES {
            wasmtime::bail!("{length} random bytes are asked for at once (limit {RANDOM_BYTES})");
        }
        let length = usize::try_from(length).expect("below the limit");
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next_random().to_le_bytes());
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// A pollable that is ready, at a time that has come.
    fn sleep_until(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.monotonic_ns = self.monotonic_ns.max(when);
        let now = self.resources.push(Now)?;
        subscribe(&mut self.resources, now)
    }
}

impl clocks::wall_clock::Host for Room {
    fn now(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        let ms = self.time_ms.max(0).unsigned_abs();
        Ok(clocks::wall_clock::Datetime {
            seconds: ms / 1000,
            nanoseconds: u32::try_from(ms % 1000 * 1_000_000).expect("below a second"),
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        Ok(clocks::wall_clock::Datetime {
            seconds: 0,
            nanoseconds: 1_000_000,
        })
    }
}

impl clocks::monotonic_clock::Host for Room {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.monotonic_ns = self.monotonic_ns.saturating_add(1);
        Ok(self.monotonic_ns)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.sleep_until(when)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.sleep_until(self.monotonic_ns.saturating_add(duration))
    }
}

impl random::random::Host for Room {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.next_random())
    }
}

impl random::insecure::Host for Room {
    fn get_insecure_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.next_random())
    }
}

impl random::insecure_seed::Host for Room {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((self.next_random(), self.next_random()))
    }
}

/// A time that has come.
struct Now;

#[async_trait]
impl Pollable for Now {
    async fn ready(&mut self) {}
}

/// A stream of the guest whose lines go to the log. Clones are the same stream.
#[derive(Clone)]
struct Lines(Arc<Mutex<Pending>>);

struct Pending {
    log: Log,
    level: Level,
    text: Vec<u8>,
}

impl Lines {
    fn new(log: Log, level: Level) -> Lines {
        let text = Vec::new();
        Lines(Arc::new(Mutex::new(Pending { log, level, text })))
    }
}

impl Pending {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            // A line without end is kept no longer than what the log would take of it.
            let room = self.log.line_bytes().saturating_sub(self.text.len());
            let line = part.strip_suffix(b"\n").unwrap_or(part);
            self.text.extend_from_slice(&line[..line.len().min(room)]);
            if line.len() < part.len() {
                self.finish();
            }
        }
    }

    fn finish(&mut self) {
        self.log
            .line(self.level, &String::from_utf8_lossy(&self.text));
        self.text.clear();
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.finish();
        }
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.lock().write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use clocks::monotonic_clock::Host as _;
    use random::random::Host as _;

    use super::*;
    use crate::wasm::Limits;

    fn room() -> Room {
        Room::new(&Log::new(Arc::from("things"), &Limits::default()))
    }

    #[test]
    fn the_clock_says_the_time_of_the_rows() {
        let mut room = room();
        room.set_time(1_700_000_000_123);
        let now = wall_clock_of(&mut room);
        assert_eq!(now, (1_700_000_000, 123_000_000));
        room.set_time(-5);
        assert_eq!(
            wall_clock_of(&mut room),
            (0, 0),
            "WASI knows no time before 1970"
        );
    }

    fn wall_clock_of(room: &mut Room) -> (u64, u32) {
        let now = clocks::wall_clock::Host::now(room).unwrap();
        (now.seconds, now.nanoseconds)
    }

    #[test]
    fn an_hour_of_sleep_is_over_at_once() {
        let mut room = room();
        let begun = clocks::monotonic_clock::Host::now(&mut room).unwrap();
        room.subscribe_duration(3_600_000_000_000).unwrap();
        let slept = clocks::monotonic_clock::Host::now(&mut room).unwrap() - begun;
        assert!(slept >= 3_600_000_000_000, "{slept}");
    }

    #[test]
    fn the_same_seed_gives_the_same_random_numbers() {
        let (mut one, mut other) = (room(), room());
        one.seed(17);
        other.seed(17);
        let bytes = one.get_random_bytes(13).unwrap();
        assert_eq!(
            (bytes.len(), &bytes),
            (13, &other.get_random_bytes(13).unwrap())
        );
        assert_eq!(
            one.get_random_u64().unwrap(),
            other.get_random_u64().unwrap()
        );
        other.seed(18);
        assert_ne!(
            one.get_random_u64().unwrap(),
            other.get_random_u64().unwrap()
        );
        assert!(one.get_random_bytes(RANDOM_BYTES + 1).is_err());
    }

    #[test]
    fn a_line_without_end_is_kept_no_longer_than_the_log_would_take() {
        let limits = Limits {
            log_line_bytes: 8,
            ..Limits::default()
        };
        let lines = Lines::new(Log::new(Arc::from("things"), &limits), Level::Info);
        let mut pending = lines.0.lock();
        pending.write(b"one\ntwo");
        assert_eq!(pending.text, b"two");
        pending.write(&[b'x'; 1 << 20]);
        assert_eq!(pending.text, b"twoxxxxx");
        pending.write(b"\n");
        assert!(pending.text.is_empty());
    }
}
