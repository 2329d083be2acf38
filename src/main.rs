//! A door.

/// Files are read on one thread and their passages freed on another. The system's own allocator
/// kept what lay between: while 1.5 million passages were indexed, 200 MB were in use at most and
/// 900 MB held.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ! {
    rag::cli::leave(rag::cli::main(std::env::args_os()))
}
