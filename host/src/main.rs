//! The `weir` binary: reads the command line and does what it says.

use std::process::ExitCode;

use weir_host::cli::Arguments;

fn main() -> ExitCode {
    match Arguments::parse_command_line().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the error is the command's answer")]
            {
                eprintln!("weir: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
