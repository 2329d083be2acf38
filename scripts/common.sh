# Functions shared by the scripts in this folder, which source this file. The caller sets `name`, and `root`, the
# absolute path of the checkout.

say() { printf '%s: %s\n' "$name" "$*" >&2; }
die() {
    printf '%s: error: %s\n' "$name" "$1" >&2
    [ $# -lt 2 ] || printf '%s: hint: %s\n' "$name" "$2" >&2
    exit 1
}

# absolute PATH: prints the absolute path of PATH, which need not exist.
absolute() {
    case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$PWD" "$1" ;;
    esac
}

# debian PACKAGES...: installs packages when run as root on Debian or a derivative; fails elsewhere.
debian() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing $* with apt-get"
    local log
    log=$(mktemp)
    if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } </dev/null >"$log" 2>&1; then
        rm -f "$log"
    else
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
}

# need_rust: requires a recent enough Cargo, and the C compiler that SQLite, zstd and ring are built with.
need_rust() {
    local wanted found
    # rustup's installer puts Cargo here and extends the PATH of later shells only.
    command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    command -v cargo >/dev/null || die "needs Rust $wanted or later; there is no cargo" \
        "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\""
    # In the checkout, so that rustup selects the toolchain that builds.
    found=$(cd "$root" && rustc --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" = "$wanted" ] ||
        die "needs Rust $wanted or later; this is $found" "rustup update stable, or see https://rustup.rs"
    command -v cc >/dev/null || debian build-essential ||
        die "needs a C compiler named cc" "sudo apt-get update && sudo apt-get install -y build-essential"
}

# need_program: requires the build tools, unless RAG_PROGRAM names a program to use instead.
need_program() {
    [ -n "${RAG_PROGRAM:-}" ] || need_rust
}

# get_program: sets `rag` to the path of the program: RAG_PROGRAM, or one that it builds.
get_program() {
    if [ -z "${RAG_PROGRAM:-}" ]; then
        need_crates
        build_release
        return
    fi
    rag=$(absolute "$RAG_PROGRAM")
    [ -f "$rag" ] && [ -x "$rag" ] || die "RAG_PROGRAM is not an executable file: $rag" "unset it to build one"
}

# need_crates: downloads missing dependencies. Cargo.lock pins them, so no request is made when all are present.
need_crates() {
    local host
    host=$(cd "$root" && rustc -vV | sed -n 's/^host: //p')
    if ! (cd "$root" && cargo fetch --quiet --locked --offline --target "$host") 2>/dev/null; then
        say "fetching the dependencies"
        (cd "$root" && cargo fetch --quiet --locked --target "$host") ||
            die "the dependencies could not be fetched" "see the lines above; the network is needed once"
    fi
}

# build_release: builds, and sets `rag` to the path of the program, wherever Cargo is configured to build.
build_release() {
    local messages
    say "building (some minutes the first time)"
    messages=$(cd "$root" && cargo build --release --locked --offline --bin rag --message-format json-render-diagnostics) ||
        die "the build failed" "see the lines above"
    rag=$(sed -n 's/.*"name":"rag".*"executable":"\([^"]*\)".*/\1/p' <<<"$messages" | tail -n 1)
    [ -x "$rag" ] || die "cargo did not report the path of the program"
}
