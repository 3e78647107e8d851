# Starting and stopping workers, now and with the host; used by remote.sh, which is sent behind it.
# Reads worker N's command line into the positional parameters of the caller's `eval`.
arguments_of() {
    printf 'set --'
    while IFS= read -r argument; do printf " '%s'" "$(printf '%s' "$argument" | sed "s/'/'\\\\''/g")"; done <"$1"
}

# Sets size to the bytes that its log has before it starts: what it says comes behind them.
start_worker() {
    file=$base/worker-$1
    [ -s "$file.arguments" ] || fail "worker-$1: start workers here once more, so that it is known what to run"
    # Before it starts: should this host stop now, it comes back with the worker.
    echo wanted >"$file.pid" || exit 1
    [ "$(log_size "$1")" -lt 10000000 ] || mv -f "$file.log" "$file.log.1"
    size=$(log_size "$1")
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
    # One that systemd has started would be started again, also one that has just ended.
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

# The user's table for cron, in the file $table; fails where it cannot be read, which is not the same as that there is none.
read_table() {
    table=$root/.table.$$
    trap 'rm -f "$table" "$table.said"' EXIT
    LC_ALL=C crontab -l >"$table" 2>"$table.said" && return 0
    # Who may have none cannot be given one either.
    grep -qi -e 'no crontab' -e 'not allowed' "$table.said" && : >"$table"
}
has_line() { grep -q '/\.lethe/workers\.sh' "$table"; }
refuse_table() {
    fail "its crontab cannot be read ($(head -n 1 "$table.said")), so nothing is changed in it: let crontab -l work there," \
        "or say --boot off"
}

# How this cluster's workers come back with the host as it is: only what is there.
kept_boot() {
    was=$(cat "$base/boot" 2>/dev/null)
    if [ "$was" = systemd ] && [ -e "$unit" ] || [ "$was" = none ]; then
        echo "$was"
        return
    fi
    if [ -z "$was" ] && [ -e "$unit" ]; then
        # Started by an earlier cluster/workers.
        for number in $(numbers); do
            systemctl --user is-enabled --quiet "lethe-worker@$unit_prefix$number" >/dev/null 2>&1 && echo systemd && return
        done
    fi
    case "$was" in
        '' | cron)
            if command -v crontab >/dev/null; then
                read_table || refuse_table
                has_line && echo cron && return
            fi
            ;;
    esac
    echo off
}

# Whether a cluster's workers come back by systemd or cron. One that an earlier cluster/workers has started may do so by either.
needed() {
    for folder in "$root" "$root"/clusters/*; do
        [ "$(cat "$folder/boot" 2>/dev/null || echo "$1")" = "$1" ] || continue
        [ "$folder" != "$base" ] || [ ! -e "$folder/boot" ] || return 0
        for file in "$folder"/worker-*.pid; do [ ! -e "$file" ] || return 0; done
    done
    return 1
}

# Takes away the units, and the line for cron, that no worker needs.
forget_unneeded() {
    if [ -e "$unit" ] && ! needed systemd; then
        rm -f "$unit"
        systemctl --user daemon-reload 2>/dev/null
    fi
    if command -v crontab >/dev/null && ! needed cron && read_table && has_line; then
        grep -v '/\.lethe/workers\.sh' "$table" | crontab - || fact note "cron does not take the line back that starts workers"
    fi
    return 0
}

# So that workers come back with the host: user units that go on without a login, else a line for cron.
prepare_boot() {
    [ "$boot" != keep ] || boot=$(kept_boot) || exit 1
    printf '%s\n' "$script" >"$root/workers.sh.new" && mv "$root/workers.sh.new" "$root/workers.sh" || exit 1
    if [ "$boot" = systemd ]; then
        mkdir -p "${unit%/*}" && cat >"$unit.new" <<'UNIT' && mv "$unit.new" "$unit" || exit 1
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
            fact note "its workers end with the last login and come back with the next:" \
                "an administrator has to say loginctl enable-linger $(id -un)"
    elif [ "$boot" = cron ]; then
        read_table || refuse_table
        has_line || {
            cat "$table"
            echo '@reboot /bin/sh "$HOME/.lethe/workers.sh" boot'
        } | crontab - || fact note "cron does not take a line: its workers do not come back with the host"
    elif [ "$boot" = none ]; then
        fact note "its workers do not come back with the host: there is neither systemd for users nor cron"
    fi
    echo "$boot" >"$base/boot" || exit 1
}

apply() {
    use_cluster "$1"
    boot=$2 seconds=$3
    # What was planned for something else is planned anew.
    [ "$(standing)" = "$4" ] || { fact changed; return 0; }
    shift 4
    mkdir -p "$base" && prepare_boot
    started=
    while [ $# -gt 0 ]; do
        verb=$1 number=$2
        shift 2
        case "$verb" in
            use)
                # Also of one that was there before: going back to it is asked for as going on is.
                [ -x "$root/programs/$number/lethe" ] || fail "its command is gone: the same once more copies it again"
                ln -sfn "programs/$number/lethe" "$root/lethe" || exit 1
                ;;
            ask)
                while [ "$1" != -- ]; do printf '%s\n' "$1"; shift; done >"$base/worker-$number.arguments.new" &&
                    mv "$base/worker-$number.arguments.new" "$base/worker-$number.arguments" || exit 1
                shift
                ;;
            keep)
                echo "$(cat "$base/worker-$number.pid" 2>/dev/null)" >"$base/worker-$number.pid"
                if [ "$boot" = systemd ]; then
                    systemctl --user enable --quiet "lethe-worker@$unit_prefix$number"
                else
                    ! command -v systemctl >/dev/null ||
                        systemctl --user disable --quiet "lethe-worker@$unit_prefix$number" >/dev/null 2>&1
                fi
                ;;
            let-go) let_go "$number"; fact stopped "$number" ;;
            stop) stop_worker "$number" ;;
            start)
                start_worker "$number"
                started="$started $number:$size"
                ;;
        esac
    done
    # Now that no unit of this cluster is enabled that should not be.
    forget_unneeded
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

# What cron calls. Workers that systemd brings back, or that are not to come back, are not its.
boot() {
    boot=cron
    for file in "$root"/worker-*.pid "$root"/clusters/*/worker-*.pid; do
        [ -e "$file" ] || continue
        folder=${file%/*}
        case "$folder" in "$root") use_cluster '' ;; *) use_cluster "${folder##*/}" ;; esac
        case "$(cat "$base/boot" 2>/dev/null)" in '' | cron) ;; *) continue ;; esac
        number=${file##*/worker-} && number=${number%.pid}
        find_worker_now "$number" || start_worker "$number"
    done
}
