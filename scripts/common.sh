# What the scripts beside this file share. It is sourced, not run; the caller has set `name`, and `root`, the top of
# the checkout, as an absolute path.

say() { printf '%s: %s\n' "$name" "$*" >&2; }
die() {
    printf '%s: error: %s\n' "$name" "$1" >&2
    [ $# -lt 2 ] || printf '%s: hint: %s\n' "$name" "$2" >&2
    exit 1
}

# absolute PATH: the same path, whatever folder one goes to afterwards; it need not exist.
absolute() {
    case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$PWD" "$1" ;;
    esac
}

# debian PACKAGES...: installs them where that can be done without asking: as root, on Debian and its descendants.
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

# need_rust: a Cargo that is new enough, and the C compiler that SQLite, zstd and ring are built with.
need_rust() {
    local wanted found
    # rustup's installer puts Cargo here and tells only shells that start afterwards.
    command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    command -v cargo >/dev/null || die "needs Rust $wanted or later; there is no cargo" \
        "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\""
    # Inside the checkout, so that the toolchain is the one that will build.
    found=$(cd "$root" && rustc --version | cut -d ' ' -f 2)
    [ "$(printf '%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" = "$wanted" ] ||
        die "needs Rust $wanted or later; this is $found" "rustup update stable, or see https://rustup.rs"
    command -v cc >/dev/null || debian build-essential ||
        die "needs a C compiler named cc" "sudo apt-get update && sudo apt-get install -y build-essential"
}

# need_program: what building it takes is here, unless RAG_PROGRAM names a program to use instead.
need_program() {
    [ -n "${RAG_PROGRAM:-}" ] || need_rust
}

# get_program: puts the path of the program into `rag`: of the one that RAG_PROGRAM names, or of one built now.
get_program() {
    if [ -z "${RAG_PROGRAM:-}" ]; then
        need_crates
        build_release
        return
    fi
    rag=$(absolute "$RAG_PROGRAM")
    [ -f "$rag" ] && [ -x "$rag" ] || die "RAG_PROGRAM names no program: $rag" "unset it to build one"
}

# need_crates: every dependency is on this machine afterwards. Cargo.lock says exactly which, so nothing is asked of
# the network when all of them are here already.
need_crates() {
    local host
    host=$(cd "$root" && rustc -vV | sed -n 's/^host: //p')
    if ! (cd "$root" && cargo fetch --quiet --locked --offline --target "$host") 2>/dev/null; then
        say "fetching the dependencies"
        (cd "$root" && cargo fetch --quiet --locked --target "$host") ||
            die "the dependencies could not be fetched" "see the lines above; they are needed once, afterwards no network is"
    fi
}

# build_release: builds, and puts the path of the program into `rag`, wherever Cargo is configured to build.
build_release() {
    local messages
    say "building (some minutes the first time)"
    messages=$(cd "$root" && cargo build --release --locked --offline --bin rag --message-format json-render-diagnostics) ||
        die "the build failed" "see the lines above"
    rag=$(sed -n 's/.*"name":"rag".*"executable":"\([^"]*\)".*/\1/p' <<<"$messages" | tail -n 1)
    [ -x "$rag" ] || die "cargo does not say where it put the program"
}
