//! A group as it is written down: its last generation, with every member's assignment.
//!
//! Members outlive a restart of the broker: whoever is heard from within its session goes on
//! without a rebalance. What a rebalance was about to decide is not written; its members join
//! again.

use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use kafka_protocol::protocol::StrBytes;

use super::{Group, Member, Phase};
use crate::storage::layout::{Malformed, put_text, text};

impl Group {
    /// What is to be written, if there is anything new.
    pub(crate) fn take_saved(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.is_unsaved) {
            return None;
        }
        let mut out = Vec::with_capacity(256);
        out.put_i32(self.generation);
        put_text(&mut out, &self.protocol_type);
        put_text(&mut out, &self.protocol());
        put_text(&mut out, &self.leader);
        for (id, member) in &self.members {
            put_text(&mut out, id);
            member.put(&mut out);
        }
        Some(out)
    }

    /// Takes in what was written. Members have their whole sessions to be heard from.
    pub(crate) fn restore(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Malformed> {
        let bytes = &mut bytes;
        self.generation = bytes.try_get_i32().map_err(|_| Malformed)?;
        self.protocol_type = word(bytes)?;
        let protocol = word(bytes)?;
        self.leader = word(bytes)?;
        while bytes.has_remaining() {
            let id = word(bytes)?;
            let member = Member::read(bytes, now)?;
            if let Some(instance) = &member.instance {
                self.statics.insert(instance.clone(), id.clone());
            }
            self.members.insert(id, member);
        }
        if !self.members.is_empty() {
            self.phase = Phase::Stable;
            self.protocol = Some(protocol);
        }
        Ok(())
    }
}

impl Member {
    fn put(&self, out: &mut Vec<u8>) {
        out.put_u8(u8::from(self.instance.is_some()));
        put_text(out, self.instance.as_deref().unwrap_or_default());
        put_text(out, &self.client);
        put_text(out, &self.host);
        put_duration(out, self.session);
        put_duration(out, self.rebalance);
        put_bytes(out, &self.assignment);
        out.put_u32(u32::try_from(self.protocols.len()).expect("a member has few protocols"));
        for (name, subscription) in &self.protocols {
            put_text(out, name);
            put_bytes(out, subscription);
        }
    }

    fn read(bytes: &mut &[u8], now: Instant) -> Result<Self, Malformed> {
        let is_static = bytes.try_get_u8().map_err(|_| Malformed)? == 1;
        let instance = Some(word(bytes)?).filter(|_| is_static);
        let (client, host) = (word(bytes)?, word(bytes)?);
        let (session, rebalance) = (duration(bytes)?, duration(bytes)?);
        let assignment = run(bytes)?;
        let mut protocols = Vec::new();
        for _ in 0..bytes.try_get_u32().map_err(|_| Malformed)? {
            protocols.push((word(bytes)?, run(bytes)?));
        }
        Ok(Self {
            instance,
            client,
            host,
            assignment,
            session,
            rebalance,
            protocols,
            deadline: now + session,
            joining: None,
            syncing: None,
        })
    }
}

fn word(bytes: &mut &[u8]) -> Result<StrBytes, Malformed> {
    text(bytes).map(StrBytes::from_string)
}

fn put_duration(out: &mut Vec<u8>, duration: Duration) {
    out.put_u64(u64::try_from(duration.as_millis()).expect("sessions are limited"));
}

fn duration(bytes: &mut &[u8]) -> Result<Duration, Malformed> {
    bytes
        .try_get_u64()
        .map(Duration::from_millis)
        .map_err(|_| Malformed)
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.put_u32(u32::try_from(bytes.len()).expect("a request is limited"));
    out.put_slice(bytes);
}

fn run(bytes: &mut &[u8]) -> Result<Bytes, Malformed> {
    let length = bytes.try_get_u32().map_err(|_| Malformed)? as usize;
    let run = Bytes::copy_from_slice(bytes.get(..length).ok_or(Malformed)?);
    bytes.advance(length);
    Ok(run)
}
