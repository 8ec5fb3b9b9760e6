//! The program `rohrpost`: arguments to `cli`, its answer to the exit code.

fn main() {}
