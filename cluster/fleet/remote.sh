# What cluster/workers runs on a host, in plain sh: sh -c TEXT lethe-workers VERB ARGUMENT…
# The text itself is also in the variable script, for the copy that starts workers with the host.
# It prints one fact a line, its parts separated by tabs; what goes wrong stands on standard error, and the status says so.
#
#   look CLUSTER                      what the host has and what runs there
#   packages                          installs the missing ones that `look` has named
#   receive KIND NAME DIGEST BYTES    programs, models or keys: a tar on standard input becomes KIND/NAME, whole or not at all
#   apply CLUSTER BOOT SECONDS STANDING
#                                     BOOT: systemd, cron, none (of both), off, or keep as it is; STANDING: what `look` said of it,
#                                     and nothing is done where that has changed; then any of: use PROGRAM,
#                                     ask N ARGUMENTS… --, keep N, start N, stop N, let-go N; waits so long for what it started
#                                     until the coordinator has taken it in
#   stop CLUSTER, remove CLUSTER KEEP, sweep KIND…, logs CLUSTER LINES NUMBER|all follow|once, boot, run WORKER
#
# On the disk below ~/.lethe: programs/, models/ and keys/ with names made of their digests, so that a worker's command line says
# what it runs; lethe (a link to the program that was named last, which `restart` brings); worker-N (shards), worker-N.log, worker-N.arguments (the command line, an argument a line) and worker-N.pid (it is
# wanted: boot starts it again); boot (how the cluster's workers come back with the host: systemd, cron,
# none, off). A cluster with a name of its own has its worker-N… and boot in clusters/NAME.
set -u
umask 077
root=$HOME/.lethe
unit=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/lethe-worker@.service
tab=$(printf '\t')
# /usr/sbin is not on the path of a user who is not root.
PATH=$PATH:/usr/sbin:/sbin
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"

fact() { printf '%s' "$1"; shift; [ $# -eq 0 ] || printf '\t%s' "$@"; echo; }
fail() { echo "$*" >&2; exit 1; }

use_cluster() {
    cluster=$1 base=$root unit_prefix=
    [ -z "$cluster" ] || { base=$root/clusters/$cluster; unit_prefix=$cluster-; }
}

# One at a time where flock is: two operators do not start the same worker twice.
take_turn() {
    mkdir -p "$root" && chmod 700 "$root" || exit 1
    command -v flock >/dev/null || return 0
    exec 9>"$root/turn" && flock -w 120 9 || fail "another cluster/workers is at work here"
}

# Sets pid to the process that has worker N's folder, whoever started it: a number in a file may be another process's by now.
find_worker() {
    pid=
    for candidate in $processes; do
        tr '\0' '\n' 2>/dev/null <"/proc/$candidate/cmdline" | grep -qxF -e "$base/worker-$1" || continue
        grep -qs '^State:.Z' "/proc/$candidate/status" && continue
        pid=$candidate
        return 0
    done
    return 1
}
list_processes() {
    processes=$(grep -lsx "Name:${tab}lethe" /proc/[0-9]*/status | while IFS=/ read -r _ _ number _; do echo "$number"; done)
}
find_worker_now() { list_processes; find_worker "$1"; }

packages() {
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    sudo=
    [ "$(id -u)" = 0 ] || sudo='sudo -n'
    $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null || fail "packages are missing:" $missing
}

digest_of() {
    (cd "$1" && find . -type f | LC_ALL=C sort | while IFS= read -r file; do sha256sum "$file"; done) |
        sha256sum | cut -d ' ' -f 1
}

receive() {
    kind=$1 name=$2 digest=$3 needed=$(($4 / 1024 + 64))
    partial=$root/$kind/.partial
    mkdir -p "$root/$kind" && rm -rf "$partial" && mkdir "$partial" || exit 1
    # Whatever goes wrong, a full disk too, leaves nothing of the copy and everything else as it was.
    trap 'rm -rf "$partial"' EXIT
    trap 'exit 1' HUP INT TERM PIPE
    free=$(df -Pk "$partial" | awk 'NR == 2 { print $4 }')
    [ "$free" -gt "$needed" ] || fail "its disk is full: $needed KB are needed, $free KB are free"
    (cd "$partial" && tar -xof -) || fail "could not be copied"
    chmod -R go= "$partial"
    [ "$(digest_of "$partial")" = "$digest" ] || fail "arrived damaged"
    if [ "$kind" = programs ]; then
        complaint=$("$partial/lethe" --version 2>&1 >/dev/null) || {
            echo "$complaint" >&2
            fail "this machine's build does not run there: both need the same release of Debian or Ubuntu"
        }
    fi
    # When it came, not how old it was there: tar keeps that.
    touch "$partial"
    rm -rf "${root:?}/$kind/$name"
    # On the disk before it has its name: after a power failure there is no half of it.
    find "$partial" -exec sync {} + 2>/dev/null || sync
    mv "$partial" "$root/$kind/$name" || exit 1
}

stop() {
    use_cluster "$1"
    for number in $(numbers); do
        [ -e "$base/worker-$number.pid" ] || find_worker_now "$number" || continue
        was=down && ! find_worker_now "$number" || was=running
        let_go "$number"
        fact stopped "$number" "$was"
    done
}

# A worker that runs is stopped first: the command that deletes then finds all of its shards, as it does those of one that was
# stopped long ago.
remove() {
    use_cluster "$1"
    keep=$2
    for number in $(numbers); do
        [ "$number" -gt "$keep" ] || continue
        let_go "$number"
        file=$base/worker-$number
        if [ ! -d "$file" ]; then
            rm -f "$file.arguments" "$file.log" "$file.log.1"
        else
            if [ -s "$file.arguments" ]; then
                eval "$(arguments_of "$file.arguments")"
            elif [ -z "$cluster" ] && [ -s "$root/arguments" ]; then
                # Started by an earlier cluster/workers.
                eval "set -- \"\$root/lethe\" worker $(cat "$root/arguments") --threads 1 --data \"\$file\""
            else
                fact kept "$number" "start workers here once more, so that it is known what to tell whom"
                continue
            fi
            if "$@" --clean </dev/null >>"$file.log" 2>&1; then
                rm -rf "$file" "$file.arguments" "$file.log" "$file.log.1"
                fact removed "$number"
            else
                fact kept "$number" "$(last_line "$number")"
            fi
        fi
    done
    [ -n "$(numbers)" ] || rm -f "$base/boot"
    forget_unneeded
    # The last one leaves the machine as it was found.
    [ -n "$(find "$root" -name 'worker-*.arguments' | head -n 1)" ] || {
        rm -f "$root/workers.sh" "$root/lethe"
        rm -rf "$root/weights"
    }
    sweep programs models keys
}

# What no worker was asked to run any more, and no process runs, goes; what came in the last $spared minutes stays.
spared=0
sweep() {
    list_processes
    for kind in "$@"; do
        # Also what an earlier cluster/workers has put there.
        for entry in "$root/$kind"/* "$root/program" "$root/worker.key" "$root/coordinator.pub"; do
            [ -e "$entry" ] || continue
            [ "$spared" = 0 ] || [ -z "$(find "$entry" -prune -mmin "-$spared")" ] || continue
            find "$root" -name 'worker-*.arguments' -exec cat {} + | grep -qF -e "$entry" && continue
            used=
            for candidate in $processes; do
                { readlink "/proc/$candidate/exe"; tr '\0' '\n' <"/proc/$candidate/cmdline"; } 2>/dev/null |
                    grep -qF -e "$entry" && used=yes
            done
            [ -n "$used" ] || [ "$(readlink "$root/lethe")" = "$kind/${entry##*/}/lethe" ] || rm -rf "$entry"
        done
    done
}

logs() {
    use_cluster "$1"
    followers=
    for number in $(numbers); do
        [ "$3" = all ] || [ "$3" = "$number" ] || continue
        [ -e "$base/worker-$number.log" ] || continue
        if [ "$4" = follow ]; then
            tail -n "$2" -F "$base/worker-$number.log" 2>/dev/null | sed -u "s/^/worker-$number$tab/" &
            followers="$followers $!"
        else
            tail -n "$2" "$base/worker-$number.log" | sed "s/^/worker-$number$tab/"
        fi
    done
    [ -n "$followers" ] || return 0
    # Whoever reads holds standard input open. A log that says nothing more would never notice that nobody does.
    cat >/dev/null
    kill $followers 2>/dev/null
}

verb=$1
shift
case "$verb" in
    look | logs) "$verb" "$@" ;;
    run) run "$@" ;;
    packages | receive | apply | stop | remove | boot) take_turn && "$verb" "$@" ;;
    # Another operator may have brought something just now whose workers have not been asked for yet.
    sweep) take_turn && spared=10 && sweep "$@" ;;
    *) fail "no $verb here" ;;
esac
