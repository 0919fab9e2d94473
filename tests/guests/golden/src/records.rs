//! Rows across the border: the contract's columns and the engine's.

use weir_core::functions::{self as engine, Step};
use weir_core::record;

use crate::guest::bindings::weir::service::records::{
    Batch, Column, Combined, Folded, HeaderColumns, Output, Rejection, Steps,
};

pub(crate) fn column_in(column: Column) -> record::Column {
    record::Column::from_parts(column.bytes, column.lengths).expect("the host's columns add up")
}

pub(crate) fn column_out(column: record::Column) -> Column {
    let (bytes, lengths) = column.into_parts();
    Column { bytes, lengths }
}

pub(crate) fn batch_in(batch: Batch) -> record::Batch {
    let headers = |headers: HeaderColumns| {
        let (names, values) = (column_in(headers.names), column_in(headers.values));
        record::Headers::from_parts(headers.counts, names, values)
            .expect("the host's headers add up")
    };
    record::Batch {
        keys: column_in(batch.keys),
        values: column_in(batch.values),
        timestamps: batch.timestamps,
        headers: batch.headers.map(headers),
    }
}

pub(crate) fn steps_in(steps: Steps) -> engine::Steps {
    let kind = |kind: &u8| match kind {
        0 => Step::Add,
        1 => Step::Subtract,
        2 => Step::Merge,
        other => panic!("no step {other}"),
    };
    engine::Steps {
        kinds: steps.kinds.iter().map(kind).collect(),
        left: steps.left,
        right: steps.right,
        rows: steps.rows,
    }
}

pub(crate) fn output(output: engine::Output) -> Output {
    let headers = output.rows.headers.map(|headers| {
        let (counts, names, values) = headers.parts();
        HeaderColumns {
            counts: counts.to_vec(),
            names: column_out(names.clone()),
            values: column_out(values.clone()),
        }
    });
    Output {
        rows: Batch {
            keys: column_out(output.rows.keys),
            values: column_out(output.rows.values),
            timestamps: output.rows.timestamps,
            headers,
        },
        origins: output.origins,
        ports: output.ports,
        rejected: output.rejected.into_iter().map(rejection).collect(),
    }
}

pub(crate) fn combined(combined: engine::Combined) -> Combined {
    Combined {
        values: column_out(combined.values),
        rejected: combined.rejected.into_iter().map(rejection).collect(),
    }
}

pub(crate) fn folded(folded: engine::Folded) -> Folded {
    Folded {
        states: column_out(folded.states),
        rejected: folded.rejected.map(rejection),
    }
}

fn rejection(rejection: engine::Rejection) -> Rejection {
    Rejection {
        row: rejection.row,
        reason: rejection.reason,
    }
}
