//! How a static member leaves its group for good.
//!
//! librdkafka never lets a static member leave: its tasks would be nobody's until its session's
//! time is up. The request that Kafka's own tools remove such a member with (LeaveGroup, by the
//! instance's name) is unknown to it, so it is spoken here, over a connection of its own: two
//! requests, of fixed versions, that every broker since 2.4 answers. Only in plain text: where the
//! operator has asked for TLS or SASL, members stay until their session's end, as before.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::settings::Settings;

/// For a connection, and then for each answer. Whoever stops does not wait long.
const PATIENCE: Duration = Duration::from_secs(1);

/// An answer to what is asked here has a few hundred bytes.
const MAX_ANSWER: usize = 64 << 10;

const FIND_COORDINATOR: (i16, i16) = (10, 1);
const LEAVE_GROUP: (i16, i16) = (13, 3);

/// The broker does not know the member: it has left already.
const UNKNOWN_MEMBER: i16 = 25;

/// Takes the member out of the group; its client must be closed. The group's other members share
/// its tasks within a heartbeat. Errors: why it is a member until its session's end.
pub(super) fn leave(settings: &Settings, group: &str, instance: &str) -> Result<(), String> {
    let protocol = settings.properties.get("security.protocol");
    if let Some(protocol) = protocol.filter(|name| !name.eq_ignore_ascii_case("plaintext")) {
        return Err(format!("only known for plain text, not for {protocol}"));
    }
    let mut reason = "there are no brokers".to_owned();
    for address in settings.addresses() {
        match leave_by(&address, &settings.client_id, group, instance) {
            Ok(()) => return Ok(()),
            Err(error) => reason = format!("{address}: {error}"),
        }
    }
    Err(reason)
}

fn leave_by(broker: &str, client: &str, group: &str, instance: &str) -> io::Result<()> {
    let mut question = request(FIND_COORDINATOR, client);
    put_text(&mut question, group);
    question.put_u8(0);
    let mut answer = ask(broker, question)?;
    answer.try_get_i32()?;
    check(answer.try_get_i16()?)?;
    let _message = get_text(&mut answer)?;
    answer.try_get_i32()?;
    let (host, port) = (get_text(&mut answer)?, answer.try_get_i32()?);

    let mut farewell = request(LEAVE_GROUP, client);
    put_text(&mut farewell, group);
    farewell.put_i32(1);
    put_text(&mut farewell, "");
    put_text(&mut farewell, instance);
    let mut answer = ask(&format!("{host}:{port}"), farewell)?;
    answer.try_get_i32()?;
    check(answer.try_get_i16()?)?;
    answer.try_get_i32()?;
    let _member = (get_text(&mut answer)?, get_text(&mut answer)?);
    match answer.try_get_i16()? {
        UNKNOWN_MEMBER => Ok(()),
        code => check(code),
    }
}

fn check(code: i16) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::other(format!("refused with code {code}"))),
    }
}

fn request((key, version): (i16, i16), client: &str) -> BytesMut {
    let mut request = BytesMut::new();
    request.put_i16(key);
    request.put_i16(version);
    request.put_i32(0);
    put_text(&mut request, client);
    request
}

/// Names are shorter than 32 KiB; what is not is cut, and unknown to the broker.
fn put_text(request: &mut BytesMut, text: &str) {
    let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
    request.put_i16(length);
    request.put(&text.as_bytes()[..length.unsigned_abs().into()]);
}

/// Empty where it is null.
fn get_text(answer: &mut Bytes) -> io::Result<String> {
    let length = usize::try_from(answer.try_get_i16()?).unwrap_or(0);
    if length > answer.remaining() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&answer.split_to(length)).into_owned())
}

/// One request on a connection of its own; the answer, behind its header.
fn ask(broker: &str, request: BytesMut) -> io::Result<Bytes> {
    let mut stream = connect(broker)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut framed = BytesMut::new();
    framed.put_u32(u32::try_from(request.len()).map_err(io::Error::other)?);
    framed.put(request);
    stream.write_all(&framed)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_ANSWER {
        return Err(io::Error::other(format!("an answer of {length} bytes")));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    let mut answer = Bytes::from(answer);
    answer.try_get_i32()?;
    Ok(answer)
}

fn connect(broker: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("no address");
    for address in broker.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_an_encrypted_cluster_stays_until_its_session_ends() {
        let mut settings = Settings::new("a.example:1234");
        let protocol = ("security.protocol".to_owned(), "SASL_SSL".to_owned());
        settings.properties.extend([protocol]);
        let reason = leave(&settings, "group", "instance").expect_err("it does not speak TLS");
        assert!(reason.contains("SASL_SSL"), "{reason}");
    }
}
