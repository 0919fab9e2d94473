//! Golden cases in four ways: natively in batches of 1, 7 and 1000 rows, and through a real
//! component, whose functions are the same but for the border between.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use weir_golden::case::Case;
use weir_golden::replay::{Subject, all_at_once, row_by_row};
use weir_golden::topology;
use weir_host::wasm::{Component, Engine, EngineOptions, Limits};

/// Replays cases; holds the compiled component.
pub struct Replay {
    component: Component,
}

impl Replay {
    /// With the generic guest, `golden.wasm`. Errors: it is not there, or no component.
    pub fn new(guest: &Path) -> anyhow::Result<Replay> {
        let bytes = std::fs::read(guest).with_context(|| format!("reading {}", guest.display()))?;
        let engine = Engine::new(&EngineOptions::default())?;
        let component = engine.load(&bytes, &Limits::default())?;
        Ok(Replay { component })
    }

    /// All four ways. Errors: which of them went wrong, at which row, what was expected and what
    /// came.
    pub fn run(&self, case: &Case) -> Result<(), String> {
        let native = || native(case);
        row_by_row(case, native()?).map_err(|wrong| format!("natively, {wrong}"))?;
        let one = all_at_once(case, native()?, 1)?;
        for rows in [7, 1000] {
            if all_at_once(case, native()?, rows)? != one {
                return Err(format!(
                    "in batches of {rows} it answers otherwise than in batches of 1"
                ));
            }
        }
        row_by_row(case, self.component(case)?)
            .map_err(|wrong| format!("as a component, {wrong}"))?;
        if all_at_once(case, self.component(case)?, 1000)? != one {
            return Err("as a component, in batches of 1000, it answers otherwise".to_owned());
        }
        Ok(())
    }

    fn component(&self, case: &Case) -> Result<Subject, String> {
        let config = BTreeMap::from([("case".to_owned(), case.declaration())]);
        let described = self.component.describe(&config);
        let description = described.map_err(|error| error.to_string())?;
        let instance = self.component.instance("golden", &config);
        Ok((description, Box::new(instance)))
    }
}

fn native(case: &Case) -> Result<Subject, String> {
    let (description, closures) = topology::build(&case.declaration())?;
    Ok((description, Box::new(closures)))
}
