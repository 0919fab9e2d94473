//! What is wrong with a topology: every mistake at once, each with what to change.

use std::fmt;

/// All mistakes of a description, or of the topics that it meets. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub Vec<String>);

impl Errors {
    /// `Err` where there is a mistake.
    pub(super) fn into_result(self) -> Result<(), Errors> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Notes a mistake.
    pub(super) fn push(&mut self, mistake: impl Into<String>) {
        self.0.push(mistake.into());
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => f.write_str(one),
            all => {
                writeln!(f, "{} mistakes in the topology:", all.len())?;
                let lines: Vec<String> = all.iter().map(|mistake| format!("- {mistake}")).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl std::error::Error for Errors {}
