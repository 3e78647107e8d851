# What cluster/workers runs on a host, in plain sh: sh -c TEXT lethe-workers VERB ARGUMENT…
# The text itself is also in the variable script, for the copy that starts workers with the host.
# It prints one fact a line, its parts separated by tabs; what goes wrong stands on standard error, and the status says so.
#
#   look CLUSTER                      what the host has and what runs there
#   packages                          installs the missing ones that `look` has named
#   receive KIND NAME DIGEST BYTES    programs, models or keys: a tar on standard input becomes KIND/NAME, whole or not at all
#   apply CLUSTER BOOT SECONDS        then any of: ask N ARGUMENTS… --, keep N, start N, stop N, let-go N; waits so long for what it
#                                     started until the coordinator has taken it in
#   stop CLUSTER, remove CLUSTER KEEP, sweep KIND…, logs CLUSTER LINES NUMBER|all follow|once, boot, run WORKER
#
# On the disk below ~/.lethe: programs/, models/ and keys/ with names made of their digests, so that a worker's command line says
# what it runs; worker-N (shards), worker-N.log, worker-N.arguments (the command line, an argument a line) and worker-N.pid (it is
# wanted: boot starts it again). A cluster with a name of its own has its worker-N… in clusters/NAME.
set -u
umask 077
root=$HOME/.lethe
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
        tr '\0' '\n' <"/proc/$candidate/cmdline" 2>/dev/null | grep -qxF -e "$base/worker-$1" || continue
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

numbers() {
    for entry in "$base"/worker-*; do
        entry=${entry##*/worker-} && entry=${entry%%.*}
        case "$entry" in '' | *[!0-9]*) ;; *) echo "$entry" ;; esac
    done | sort -nu
}

last_line() { tail -n 1 "$base/worker-$1.log" 2>/dev/null | tr '\t' ' ' | cut -c 1-300; }

# Whether the coordinator has taken worker N in, by what the worker has said since byte $2 of its log.
connection() {
    said=$(tail -c +"$(($2 + 1))" "$base/worker-$1.log" 2>/dev/null | tail -n 4000 |
        grep -e 'connected to cluster' -e 'lost the coordinator' -e 'is ready:' -e 'not followed' | tail -n 1)
    case "$said" in *'connected to cluster'*) echo connected ;; '') echo unknown ;; *) echo lost ;; esac
}

log_size() { wc -c <"$base/worker-$1.log" 2>/dev/null || echo 0; }

boot_ways() {
    if command -v systemctl >/dev/null && systemctl --user show-environment >/dev/null 2>&1; then echo systemd; fi
    if command -v crontab >/dev/null && grep -qsx "Name:${tab}crond\{0,1\}" /proc/[0-9]*/status; then echo cron; fi
}

missing_packages() {
    command -v dpkg-query >/dev/null || return 0
    for package in libzmq5 libsqlite3-0 zlib1g libgomp1; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
    done
    ldconfig -p | grep -q libdnnl.so || echo '^libdnnl[0-9.]+$'
}

look() {
    use_cluster "$1"
    fact home "$HOME"
    fact cores "$(nproc)"
    fact current "$(readlink "$root/lethe")"
    for way in $(boot_ways); do fact boot "$way"; done
    for package in $(missing_packages); do fact missing "$package"; done
    for kind in programs models keys; do
        for entry in "$root/$kind"/*; do [ ! -d "$entry" ] || fact has "$kind" "${entry##*/}"; done
    done
    list_processes
    ours=
    for number in $(numbers); do
        wanted=no && [ ! -e "$base/worker-$number.pid" ] || wanted=yes
        kept=no && [ ! -d "$base/worker-$number" ] || kept=yes
        if find_worker "$number"; then
            ours="$ours $pid"
            fact worker "$number" "$pid" "$wanted" "$kept" "$(connection "$number" 0)" \
                "$(cat "$base/worker-$number/cluster" 2>/dev/null)" "$(last_line "$number")"
            fact argument "$number" "$(readlink "/proc/$pid/exe")"
            arguments=$(tr '\0' '\n' <"/proc/$pid/cmdline" | tail -n +2)
        else
            fact worker "$number" 0 "$wanted" "$kept" down \
                "$(cat "$base/worker-$number/cluster" 2>/dev/null)" "$(last_line "$number")"
            arguments=$(cat "$base/worker-$number.arguments" 2>/dev/null)
        fi
        key=
        printf '%s\n' "$arguments" | while IFS= read -r argument; do
            fact argument "$number" "$argument"
            [ "$key" != --coordinator-key ] ||
                fact authority "$number" "$(sha256sum <"$argument" 2>/dev/null | cut -d ' ' -f 1)"
            key=$argument
        done
    done
    others=0
    for candidate in $processes; do
        case " $ours " in *" $candidate "*) continue ;; esac
        tr '\0' '\n' <"/proc/$candidate/cmdline" 2>/dev/null | sed -n 2p | grep -qx worker && others=$((others + 1))
    done
    fact others "$others"
}

packages() {
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    sudo=
    [ "$(id -u)" = 0 ] || sudo='sudo -n'
    $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null || fail "packages are missing:" $missing
}

digest_of() { (cd "$1" && find . -type f | LC_ALL=C sort | while IFS= read -r file; do sha256sum "$file"; done | sha256sum | cut -d ' ' -f 1); }

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
        "$partial/lethe" --version >/dev/null 2>"$partial.log" ||
            { head -n 1 "$partial.log" >&2; rm -f "$partial.log"; fail "this machine's build does not run there: both need the same release of Debian or Ubuntu"; }
        rm -f "$partial.log"
        ln -sfn "programs/$name/lethe" "$root/lethe"
    fi
    rm -rf "${root:?}/$kind/$name"
    # On the disk before it has its name: after a power failure there is no half of it.
    sync
    mv "$partial" "$root/$kind/$name" || exit 1
}

# Reads worker N's command line into the positional parameters of the caller's `eval`.
arguments_of() {
    printf 'set --'
    while IFS= read -r argument; do printf " '%s'" "$(printf '%s' "$argument" | sed "s/'/'\\\\''/g")"; done <"$1"
}

start_worker() {
    file=$base/worker-$1
    [ -s "$file.arguments" ] || fail "worker-$1: start workers here once more, so that it is known what to run"
    # Before it starts: should this host stop now, it comes back with the worker.
    echo wanted >"$file.pid" || exit 1
    [ "$(log_size "$1")" -lt 10000000 ] || mv -f "$file.log" "$file.log.1"
    if [ "$boot" = systemd ]; then
        systemctl --user enable --quiet "lethe-worker@$unit_prefix$1" && systemctl --user restart "lethe-worker@$unit_prefix$1" ||
            fail "worker-$1: systemd does not start it"
    else
        ! command -v systemctl >/dev/null || systemctl --user disable --quiet "lethe-worker@$unit_prefix$1" >/dev/null 2>&1
        setsid /bin/sh "$root/workers.sh" run "$unit_prefix$1" </dev/null >/dev/null 2>&1 9>&- &
        echo $! >"$file.pid"
    fi
}

stop_worker() {
    find_worker_now "$1" || return 0
    # One that systemd has started would be started again.
    ! command -v systemctl >/dev/null || systemctl --user stop "lethe-worker@$unit_prefix$1" >/dev/null 2>&1
    find_worker_now "$1" || return 0
    kill "$pid"
    patience=300
    while [ "$patience" -gt 0 ]; do
        find_worker_now "$1" || return 0
        sleep 0.1
        patience=$((patience - 1))
    done
    kill -9 "$pid" 2>/dev/null
    fact note "worker-$1 was slow to stop and was killed"
}

# It is not wanted any more, now and after a start of the host.
let_go() {
    stop_worker "$1"
    rm -f "$base/worker-$1.pid"
    ! command -v systemctl >/dev/null || systemctl --user disable --quiet "lethe-worker@$unit_prefix$1" >/dev/null 2>&1
    return 0
}

# So that workers come back with the host: user units that go on without a login, else a line for cron.
prepare_boot() {
    printf '%s\n' "$script" >"$root/workers.sh.new" && mv "$root/workers.sh.new" "$root/workers.sh" || exit 1
    if [ "$boot" = systemd ]; then
        units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
        mkdir -p "$units" && cat >"$units/lethe-worker@.service.new" <<'UNIT' && mv "$units/lethe-worker@.service.new" "$units/lethe-worker@.service" || exit 1
[Unit]
Description=Lethe worker %i
StartLimitIntervalSec=0

[Service]
ExecStart=/bin/sh %h/.lethe/workers.sh run %i
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=64 65 77
TimeoutStopSec=30

[Install]
WantedBy=default.target
UNIT
        systemctl --user daemon-reload || exit 1
        loginctl enable-linger >/dev/null 2>&1
        [ "$(loginctl show-user "$(id -un)" -p Linger --value 2>/dev/null)" = yes ] ||
            fact note "its workers end with the last login and come back with the next: an administrator has to say loginctl enable-linger $(id -un)"
    elif [ "$boot" = cron ]; then
        crontab -l 2>/dev/null | grep -q '/\.lethe/workers\.sh' || {
            crontab -l 2>/dev/null
            echo '@reboot /bin/sh "$HOME/.lethe/workers.sh" boot'
        } | crontab - || fact note "cron does not take a line: its workers do not come back with the host"
    elif [ "$boot" = none ]; then
        fact note "its workers do not come back with the host: there is neither systemd for users nor cron"
    fi
}

apply() {
    use_cluster "$1"
    boot=$2 seconds=$3
    shift 3
    mkdir -p "$base" && prepare_boot
    started=
    while [ $# -gt 0 ]; do
        verb=$1 number=$2
        shift 2
        case "$verb" in
            ask)
                while [ "$1" != -- ]; do printf '%s\n' "$1"; shift; done >"$base/worker-$number.arguments.new" &&
                    mv "$base/worker-$number.arguments.new" "$base/worker-$number.arguments" || exit 1
                shift
                ;;
            keep)
                echo "$(cat "$base/worker-$number.pid" 2>/dev/null)" >"$base/worker-$number.pid"
                [ "$boot" != systemd ] || systemctl --user enable --quiet "lethe-worker@$unit_prefix$number"
                ;;
            let-go) let_go "$number"; fact stopped "$number" ;;
            stop) stop_worker "$number" ;;
            start)
                start_worker "$number"
                started="$started $number:$(log_size "$number")"
                ;;
        esac
    done
    deadline=$(($(date +%s) + seconds))
    for entry in $started; do
        number=${entry%:*} size=${entry#*:} state=lost born=
        while :; do
            if find_worker_now "$number"; then
                born=$pid state=$(connection "$number" "$size")
                [ "$state" != connected ] || break
            # setsid and sh come before lethe.
            elif [ -n "$born" ] || [ "$(date +%s)" -ge "$deadline" ] || ended_early "$number"; then
                state=down pid=0
                break
            fi
            [ "$(date +%s)" -lt "$deadline" ] || break
            sleep 0.2
        done
        fact started "$number" "${pid:-0}" "$state" "$(last_line "$number")"
    done
}

ended_early() {
    [ "$boot" != systemd ] && ! kill -0 "$(cat "$base/worker-$1.pid")" 2>/dev/null
}

run() {
    case "$1" in *-*) use_cluster "${1%-*}" ;; *) use_cluster '' ;; esac
    number=${1##*-}
    eval "$(arguments_of "$base/worker-$number.arguments")"
    exec "$@" </dev/null >>"$base/worker-$number.log" 2>&1
}

boot() {
    boot=cron
    for file in "$root"/worker-*.pid "$root"/clusters/*/worker-*.pid; do
        [ -e "$file" ] || continue
        case "$file" in "$root"/clusters/*) file_cluster=${file#"$root"/clusters/} && use_cluster "${file_cluster%%/*}" ;; *) use_cluster '' ;; esac
        number=${file##*/worker-} && number=${number%.pid}
        find_worker_now "$number" || start_worker "$number"
    done
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
    sweep programs models keys
    [ -n "$(find "$root" -name 'worker-*.arguments' | head -n 1)" ] || forget_boot
}

forget_boot() {
    if command -v crontab >/dev/null && crontab -l 2>/dev/null | grep -q '/\.lethe/workers\.sh'; then
        crontab -l | grep -v '/\.lethe/workers\.sh' | crontab -
    fi
    units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
    [ ! -e "$units/lethe-worker@.service" ] || { rm -f "$units/lethe-worker@.service"; systemctl --user daemon-reload; }
    rm -f "$root/workers.sh"
}

# What no worker was asked to run any more, and no process runs, goes.
sweep() {
    list_processes
    for kind in "$@"; do
        # Also what an earlier cluster/workers has put there.
        for entry in "$root/$kind"/* "$root/program" "$root/worker.key" "$root/coordinator.pub"; do
            [ -e "$entry" ] || continue
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
    for number in $(numbers); do
        [ "$3" = all ] || [ "$3" = "$number" ] || continue
        [ -e "$base/worker-$number.log" ] || continue
        if [ "$4" = follow ]; then
            tail -n "$2" -F "$base/worker-$number.log" 2>/dev/null | sed -u "s/^/worker-$number$tab/" &
        else
            tail -n "$2" "$base/worker-$number.log" | sed "s/^/worker-$number$tab/"
        fi
    done
    wait
}

verb=$1
shift
case "$verb" in
    look | logs) "$verb" "$@" ;;
    run) run "$@" ;;
    packages | receive | apply | stop | remove | boot) take_turn && "$verb" "$@" ;;
    sweep) take_turn && sweep "$@" ;;
    *) fail "no $verb here" ;;
esac
