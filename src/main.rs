//! The binary `tributary`.

use std::process::ExitCode;

/// Settling a large month makes and drops many millions of small texts, most of them inside SQLite, which takes this allocator, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tributary::cli::main()
}
