# What a host has and what runs there; read by remote.sh, which is sent behind it.
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

log_size() { wc -c 2>/dev/null <"$base/worker-$1.log" || echo 0; }

boot_ways() {
    if command -v systemctl >/dev/null && systemctl --user show-environment >/dev/null 2>&1; then echo systemd; fi
    if command -v crontab >/dev/null && grep -qsx "Name:${tab}crond\{0,1\}" /proc/[0-9]*/status; then echo cron; fi
}

missing_packages() {
    command -v dpkg-query >/dev/null || return 0
    for package in libzmq5 libsqlite3-0 zlib1g libzstd1 libgomp1; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
    done
    ldconfig -p | grep -q libdnnl.so || echo '^libdnnl[0-9.]+$'
}

# What the plan for a cluster's workers rests on, as one digest: who changes a host compares it once it is their turn.
standing() {
    list_processes
    for number in $(numbers); do
        wanted=no && [ ! -e "$base/worker-$number.pid" ] || wanted=yes
        kept=no && [ ! -d "$base/worker-$number" ] || kept=yes
        find_worker "$number" || pid=0
        echo "$number $pid $wanted $kept"
        cat "$base/worker-$number.arguments" 2>/dev/null
    done | sha256sum | cut -d ' ' -f 1
}

look() {
    use_cluster "$1"
    # Before the rest: whatever changes while it is looked at has changed since.
    fact standing "$(standing)"
    fact cores "$(nproc 2>/dev/null || echo 0)"
    fact home "$HOME"
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
            # Its first word is the program as it was called, below $HOME as that is called here; what /proc/PID/exe leads to
            # has another name where the home is a link.
            arguments=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline")
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
        tr '\0' '\n' 2>/dev/null <"/proc/$candidate/cmdline" | sed -n 2p | grep -qx worker && others=$((others + 1))
    done
    fact others "$others"
}
