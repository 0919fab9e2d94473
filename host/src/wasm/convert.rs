//! Rows and requests across the border: borrowed on the way in, taken over and checked on the way
//! out.

use weir_core::functions::{
    Appended, Combined, Folded, Outcome, Output, Rejection, Request, Response, Updated,
};
use weir_core::record::{Batch, Column, Headers, Malformed};

use super::bindings::weir::service::{http, records};

pub(super) fn column_in(column: &Column) -> records::ColumnParam<'_> {
    records::ColumnParam {
        bytes: column.bytes(),
        lengths: column.lengths(),
    }
}

pub(super) fn batch_in(batch: &Batch) -> records::BatchParam<'_> {
    records::BatchParam {
        keys: column_in(&batch.keys),
        values: column_in(&batch.values),
        timestamps: &batch.timestamps,
        headers: batch.headers.as_ref().map(|headers| {
            let (counts, names, values) = headers.parts();
            records::HeaderColumnsParam {
                counts,
                names: column_in(names),
                values: column_in(values),
            }
        }),
    }
}

pub(super) fn column(column: records::ColumnResult) -> Result<Column, Malformed> {
    Column::from_parts(column.bytes, column.lengths)
}

/// The answer about `inputs` rows.
pub(super) fn output(output: records::Output, inputs: usize) -> Result<Output, Malformed> {
    let records::BatchResult {
        keys,
        values,
        timestamps,
        headers,
    } = output.rows;
    let headers = headers
        .map(|headers| {
            let (names, values) = (column(headers.names)?, column(headers.values)?);
            Headers::from_parts(headers.counts, names, values)
        })
        .transpose()?;
    let rows = Batch {
        keys: column(keys)?,
        values: column(values)?,
        timestamps,
        headers,
    };
    rows.check()?;
    let origins = output.origins;
    Malformed::unless("the number of origins", origins.len() == rows.len())?;
    Malformed::unless("an origin", origins.is_sorted())?;
    Malformed::unless("an origin", below(origins.last().copied(), inputs))?;
    let ports = output.ports.len();
    Malformed::unless("the number of ports", ports == 0 || ports == rows.len())?;
    Ok(Output {
        rows,
        origins,
        ports: output.ports,
        rejected: rejections(output.rejected, inputs)?,
    })
}

/// The answer about `inputs` rows.
pub(super) fn combined(answer: records::Combined, inputs: usize) -> Result<Combined, Malformed> {
    let values = column(answer.values)?;
    Malformed::unless("the number of values", values.len() == inputs)?;
    Ok(Combined {
        values,
        rejected: rejections(answer.rejected, inputs)?,
    })
}

/// The answer about `steps` steps over `inputs` rows.
pub(super) fn folded(
    answer: records::Folded,
    steps: usize,
    inputs: usize,
) -> Result<Folded, Malformed> {
    let states = column(answer.states)?;
    Malformed::unless("the number of states", states.len() <= steps)?;
    let rejected = answer.rejected.map(rejection);
    Malformed::unless(
        "a rejected row",
        below(rejected.as_ref().map(|rejected| rejected.row), inputs),
    )?;
    Ok(Folded { states, rejected })
}

/// The answer about `inputs` rows in `groups` groups.
pub(super) fn updated(
    answer: records::Updated,
    inputs: usize,
    groups: usize,
) -> Result<Updated, Malformed> {
    let states = column(answer.states)?;
    Malformed::unless("the number of states", states.len() == groups)?;
    Ok(Updated {
        output: output(answer.output, inputs)?,
        states,
    })
}

fn rejections(
    rejected: Vec<records::Rejection>,
    inputs: usize,
) -> Result<Vec<Rejection>, Malformed> {
    let rejected: Vec<Rejection> = rejected.into_iter().map(rejection).collect();
    Malformed::unless(
        "a rejected row",
        rejected.is_sorted_by_key(|rejected| rejected.row),
    )?;
    let last = rejected.last().map(|rejected| rejected.row);
    Malformed::unless("a rejected row", below(last, inputs))?;
    Ok(rejected)
}

fn rejection(rejection: records::Rejection) -> Rejection {
    Rejection {
        row: rejection.row,
        reason: rejection.reason,
    }
}

fn below(row: Option<u32>, rows: usize) -> bool {
    row.is_none_or(|row| (row as usize) < rows)
}

/// The lists of a request as the border wants them: pairs of borrowed strings.
pub(super) struct Pairs<'a> {
    parameters: Vec<(&'a str, &'a str)>,
    query: Vec<(&'a str, &'a str)>,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Pairs<'a> {
    pub(super) fn of(request: &'a Request) -> Pairs<'a> {
        Pairs {
            parameters: pairs(&request.parameters),
            query: pairs(&request.query),
            headers: pairs(&request.headers),
        }
    }

    pub(super) fn request(&'a self, request: &'a Request) -> http::Request<'a> {
        http::Request {
            method: &request.method,
            path: &request.path,
            parameters: &self.parameters,
            query: &self.query,
            headers: &self.headers,
            body: &request.body,
            time: request.time,
            unique: &request.unique,
        }
    }
}

/// Borrowed pairs.
pub(super) fn pairs(owned: &[(String, String)]) -> Vec<(&str, &str)> {
    owned
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

pub(super) fn response(response: http::Response) -> Response {
    Response {
        status: response.status,
        headers: response.headers,
        body: response.body,
    }
}

/// The answers to `requests` requests.
pub(super) fn outcomes(
    outcomes: Vec<http::Outcome>,
    requests: usize,
) -> Result<Vec<Outcome>, Malformed> {
    Malformed::unless("the number of outcomes", outcomes.len() == requests)?;
    let outcome = |outcome: http::Outcome| Outcome {
        response: response(outcome.response),
        rows: outcome.rows.into_iter().map(appended).collect(),
    };
    Ok(outcomes.into_iter().map(outcome).collect())
}

fn appended(row: http::Appended) -> Appended {
    Appended {
        topic: row.topic,
        key: row.key,
        value: row.value,
    }
}
