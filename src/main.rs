//! The program `rohrpost`: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    rohrpost::cli::run(std::env::args_os())
}
