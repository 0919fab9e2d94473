//! Avro: any type of serde's, plain or as a schema registry has it.

mod shape;

use apache_avro::{Schema, from_avro_datum, from_value, to_avro_datum, to_value};

use super::{Malformed, Serde, envelope};
use crate::format::Data;
use shape::Shape;

/// Avro. The schema is the one that rows are written with, and that they are read as; the type is
/// matched with it by the names of its fields.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use weir::{Topology, serdes::Avro, testing::Driver};
///
/// const V1: &str = r#"{"type": "record", "name": "Sale", "fields": [
///     {"name": "product", "type": "string"}]}"#;
/// const V2: &str = r#"{"type": "record", "name": "Sale", "fields": [
///     {"name": "product", "type": "string"}, {"name": "pieces", "type": "long", "default": 1}]}"#;
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// struct Sale { product: String, pieces: i64 }
///
/// #[weir::service]
/// fn sales(t: &mut Topology) {
///     t.value_serde::<Sale>("sales", Avro::new(V2).id(8).reads(7, V1));
///     t.stream::<String, Sale>("sales").to("read");
/// }
///
/// let mut driver = Driver::new(sales);
/// let socks = b"\0\0\0\0\x07\x0asocks";           // a row of the old schema
/// driver.topic::<String, Sale>("sales").send_bytes(Some(b"till 1"), Some(socks));
/// let sale = Sale { product: "socks".to_owned(), pieces: 1 };
/// assert_eq!(driver.topic::<String, Sale>("read").read()[0].1, sale);
/// ```
///
/// Rows of an older (or newer) schema are resolved as Avro's specification has it: defaults,
/// promotions, fields left out. But aliases of fields are not followed: a field that was renamed
/// is a field left out and a new one.
#[must_use = "give it to `value_serde`"]
pub struct Avro {
    id: Option<u32>,
    schema: Parsed,
    /// Other schemas that rows may have been written with.
    writers: Vec<(u32, Parsed)>,
}

/// A schema and its shape, or why it is none.
type Parsed = Result<(Schema, Shape), Malformed>;

impl Avro {
    /// Plain Avro of this schema (JSON, as in an `.avsc` file): no envelope. One that is none is
    /// told when the service is loaded.
    pub fn new(schema: &str) -> Avro {
        Avro {
            id: None,
            schema: parse(schema),
            writers: Vec::new(),
        }
    }

    /// In the envelope of a schema registry, under this id.
    pub fn id(self, id: u32) -> Avro {
        Avro {
            id: Some(id),
            ..self
        }
    }

    /// Rows of this id were written with another schema. Needs [`Avro::id`].
    pub fn reads(mut self, id: u32, schema: &str) -> Avro {
        let parsed = parse(schema).map_err(|error| Malformed(format!("schema id {id}: {error}")));
        self.writers.push((id, parsed));
        self
    }

    /// The schema that a row was written with, and the row itself.
    fn open<'s, 'a>(&'s self, bytes: &'a [u8]) -> Result<(&'s Parsed, &'a [u8]), Malformed> {
        let Some(own) = self.id else {
            return Ok((&self.schema, bytes));
        };
        let (id, row) = envelope::open(bytes)?;
        if id == own {
            return Ok((&self.schema, row));
        }
        match self.writers.iter().find(|(known, _)| *known == id) {
            Some((_, writer)) => Ok((writer, row)),
            None => {
                let others = self.writers.iter().map(|(id, _)| *id);
                let known = std::iter::once(own).chain(others);
                Err(envelope::unknown(id, known, &format!(".reads({id}, …)")))
            }
        }
    }
}

impl<T: Data> Serde<T> for Avro {
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (schema, _) = self.schema.as_ref().map_err(Clone::clone)?;
        if let Some(id) = self.id {
            envelope::write(id, out);
        }
        let value = to_value(value)
            .and_then(|value| value.resolve(schema))
            .map_err(malformed)?;
        out.extend_from_slice(&to_avro_datum(schema, value).map_err(malformed)?);
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<T, Malformed> {
        let (schema, _) = self.schema.as_ref().map_err(Clone::clone)?;
        let (writer, mut row) = self.open(bytes)?;
        let (writer, shape) = writer.as_ref().map_err(Clone::clone)?;
        shape.check(row)?;
        let reader = (!std::ptr::eq(writer, schema)).then_some(schema);
        let value = from_avro_datum(writer, &mut row, reader).map_err(malformed)?;
        from_value(&value).map_err(malformed)
    }

    fn check(&self) -> Result<(), Malformed> {
        let all =
            std::iter::once(&self.schema).chain(self.writers.iter().map(|(_, parsed)| parsed));
        for parsed in all {
            parsed.as_ref().map_err(Clone::clone)?;
        }
        if self.id.is_none() && !self.writers.is_empty() {
            return Err(Malformed(
                "plain Avro has one schema; say by `.id(…)` which of them is written".to_owned(),
            ));
        }
        Ok(())
    }
}

fn parse(schema: &str) -> Parsed {
    let schema =
        Schema::parse_str(schema).map_err(|error| Malformed(format!("no Avro schema: {error}")))?;
    let shape = Shape::of(&schema)?;
    Ok((schema, shape))
}

fn malformed(error: apache_avro::Error) -> Malformed {
    Malformed(error.to_string())
}
