//! `golden GUEST [DIR…]`: replays the cases below the folders (default: the public ones); prints a
//! line a family, what is wrong, and `N right, M wrong` last.
#![expect(clippy::print_stdout, reason = "a command prints")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use weir_golden::case::{self, Case};
use weir_replay::Replay;

/// Right and wrong ones.
#[derive(Default)]
struct Count(usize, usize);

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let guest = arguments
        .next()
        .context("usage: golden GUEST.wasm [DIR…]; `cargo xtask golden [DIR…]` builds the guest")?;
    let mut roots: Vec<PathBuf> = arguments.collect();
    if roots.is_empty() {
        roots.push(case::public());
    }
    let replay = Replay::new(&guest)?;
    let mut families: BTreeMap<String, Count> = BTreeMap::new();
    for file in case::find(&roots).context("looking for cases")? {
        let read = std::fs::read_to_string(&file).map_err(|error| error.to_string());
        let case = read.and_then(|text| Case::parse(&text));
        let case = case.map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
        let count = families.entry(case.family().to_owned()).or_default();
        match replay.run(&case) {
            Ok(()) => count.0 += 1,
            Err(wrong) => {
                count.1 += 1;
                println!("{}: {}\n{wrong}\n", case.name(), case.shows());
            }
        }
    }
    let mut all = Count::default();
    for (family, Count(right, wrong)) in &families {
        println!("{family:<24} {right:>4} right {wrong:>4} wrong");
        all = Count(all.0 + right, all.1 + wrong);
    }
    println!("{} right, {} wrong", all.0, all.1);
    let good = all.1 == 0 && all.0 > 0;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
