//! Shapes: what a schema says of bytes, checked before a row is decoded.
//!
//! The decoder behind makes room for as many items as the bytes claim, and takes a row that ends
//! early for nulls. So each row is walked first, without allocation: lengths and counts are those
//! of bytes that are there, and nothing is left over. Afterwards the row costs memory in proportion
//! to its bytes.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{Name, Namespace};

use super::Malformed;

/// How deep values may be nested.
const MAX_DEPTH: usize = 64;

/// All parts of a schema; the first is the whole.
pub(super) struct Shape {
    parts: Vec<Part>,
}

/// One part; others by their position.
enum Part {
    /// A named one that is being described: filled in before anyone looks.
    Unfinished,
    Null,
    Boolean,
    Int,
    Long,
    Fixed(usize),
    Bytes,
    String,
    Enum(usize),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record(Vec<usize>),
}

impl Shape {
    /// Errors: a name that nothing has.
    pub(super) fn of(schema: &Schema) -> Result<Shape, Malformed> {
        let mut parts = Parts {
            parts: Vec::new(),
            named: HashMap::new(),
        };
        parts.add(schema, &None)?;
        Ok(Shape { parts: parts.parts })
    }

    /// Whether the bytes are one value of this shape and nothing else.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut walk = Walk {
            parts: &self.parts,
            rest: bytes,
            items: bytes.len(),
        };
        walk.value(0, 0)?;
        match walk.rest.len() {
            0 => Ok(()),
            more => Err(Malformed(format!("{more} bytes too many"))),
        }
    }
}

struct Parts {
    parts: Vec<Part>,
    named: HashMap<Name, usize>,
}

impl Parts {
    /// Adds a schema and says where it is.
    fn add(&mut self, schema: &Schema, namespace: &Namespace) -> Result<usize, Malformed> {
        if let Schema::Ref { name } = schema {
            let name = name.fully_qualified_name(namespace);
            let found = self.named.get(&name).copied();
            return found.ok_or_else(|| Malformed(format!("no schema is named `{name}`")));
        }
        if let Schema::Decimal(decimal) = schema {
            return self.add(&decimal.inner, namespace);
        }
        let at = self.parts.len();
        self.parts.push(Part::Unfinished);
        let name = schema
            .name()
            .map(|name| name.fully_qualified_name(namespace));
        if let Some(name) = &name {
            self.named.insert(name.clone(), at);
        }
        let inner = name.map_or_else(|| namespace.clone(), |name| name.namespace);
        self.parts[at] = self.part(schema, &inner)?;
        Ok(at)
    }

    fn part(&mut self, schema: &Schema, namespace: &Namespace) -> Result<Part, Malformed> {
        Ok(match schema {
            Schema::Null => Part::Null,
            Schema::Boolean => Part::Boolean,
            Schema::Int | Schema::Date | Schema::TimeMillis => Part::Int,
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Part::Long,
            Schema::Float => Part::Fixed(4),
            Schema::Double => Part::Fixed(8),
            Schema::Duration => Part::Fixed(12),
            Schema::Fixed(fixed) => Part::Fixed(fixed.size),
            Schema::Bytes | Schema::BigDecimal | Schema::Uuid => Part::Bytes,
            Schema::String => Part::String,
            Schema::Enum(of) => Part::Enum(of.symbols.len()),
            Schema::Array(array) => Part::Array(self.add(&array.items, namespace)?),
            Schema::Map(map) => Part::Map(self.add(&map.types, namespace)?),
            Schema::Union(union) => Part::Union(self.all(union.variants(), namespace)?),
            Schema::Record(record) => {
                let fields = record.fields.iter().map(|field| &field.schema);
                Part::Record(self.all(fields, namespace)?)
            }
            Schema::Ref { .. } | Schema::Decimal(_) => unreachable!("`add` has followed it"),
        })
    }

    fn all<'s>(
        &mut self,
        schemas: impl IntoIterator<Item = &'s Schema>,
        namespace: &Namespace,
    ) -> Result<Vec<usize>, Malformed> {
        let schemas = schemas.into_iter();
        schemas.map(|schema| self.add(schema, namespace)).collect()
    }
}

struct Walk<'a> {
    parts: &'a [Part],
    rest: &'a [u8],
    /// How many items arrays and maps may still have. Each takes a byte of its own, but for nulls.
    items: usize,
}

impl<'a> Walk<'a> {
    fn value(&mut self, part: usize, depth: usize) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed(format!(
                "values nested more than {MAX_DEPTH} deep"
            )));
        }
        let parts = self.parts;
        match &parts[part] {
            Part::Unfinished => unreachable!("a shape is finished"),
            Part::Null => Ok(()),
            Part::Boolean => match self.take(1)? {
                [0 | 1] => Ok(()),
                other => Err(Malformed(format!("byte {} is no boolean", other[0]))),
            },
            Part::Int => match i32::try_from(self.long()?) {
                Ok(_) => Ok(()),
                Err(_) => Err(Malformed("a number is no int".to_owned())),
            },
            Part::Long => self.long().map(drop),
            Part::Fixed(size) => self.take(*size).map(drop),
            Part::Bytes => self.bytes().map(drop),
            Part::String => match std::str::from_utf8(self.bytes()?) {
                Ok(_) => Ok(()),
                Err(error) => Err(Malformed(format!("a string is not utf-8: {error}"))),
            },
            Part::Enum(symbols) => self.index(*symbols, "symbols").map(drop),
            Part::Union(variants) => {
                let variant = self.index(variants.len(), "variants of a union")?;
                self.value(variants[variant], depth + 1)
            }
            Part::Record(fields) => fields
                .iter()
                .try_for_each(|&field| self.value(field, depth + 1)),
            Part::Array(item) => self.blocks(|walk| walk.value(*item, depth + 1)),
            Part::Map(value) => self.blocks(|walk| {
                let key = std::str::from_utf8(walk.bytes()?);
                key.map_err(|error| Malformed(format!("a map's key is not utf-8: {error}")))?;
                walk.value(*value, depth + 1)
            }),
        }
    }

    /// The blocks of an array or a map, the last of which is empty.
    fn blocks(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        loop {
            let count = self.long()?;
            if count < 0 {
                self.length()?;
            }
            let items = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
            if items == 0 {
                return Ok(());
            }
            self.items = self.items.checked_sub(items).ok_or_else(|| {
                Malformed(format!(
                    "{items} items of an array or a map: more than bytes"
                ))
            })?;
            for _ in 0..items {
                item(self)?;
            }
        }
    }

    fn index(&mut self, count: usize, of: &str) -> Result<usize, Malformed> {
        let index = self.long()?;
        let found = usize::try_from(index).ok().filter(|index| *index < count);
        found.ok_or_else(|| Malformed(format!("{index}, where there are {count} {of}")))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        self.take(length)
    }

    /// A length of bytes, or a size that is passed over.
    fn length(&mut self) -> Result<usize, Malformed> {
        let length = self.long()?;
        usize::try_from(length).map_err(|_| Malformed(format!("a length of {length}")))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(|| {
            Malformed(format!(
                "ends early: {} bytes where {length} should be",
                self.rest.len()
            ))
        })?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A zigzag varint.
    fn long(&mut self) -> Result<i64, Malformed> {
        let mut zigzag = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            zigzag |= bits << shift;
            if byte < 0x80 {
                return Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
            }
        }
        Err(Malformed("a number has more than 64 bits".to_owned()))
    }
}
