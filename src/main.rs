//! The binary; see the library crate.

/// Files are read on one thread and their passages freed on another, which fragments the heap of
/// the system's allocator: indexing 1.5 million passages, it held 900 MB of which at most 200 MB
/// were in use.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ! {
    rag::cli::leave(rag::cli::main(std::env::args_os()))
}
