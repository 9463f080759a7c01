#!/usr/bin/env bash
# A Slurm of one node with pretended GPUs: `one_node.sh start FOLDER` and `stop FOLDER`, as root.
# Daemons keep all they write in FOLDER. The executor forgets SLURM_CONF, so /etc/slurm/slurm.conf
# has to lead there: a link, set at the start and removed at the end. A file is left alone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$2
conf=/etc/slurm

start() {
    mkdir -p "$folder/state" "$folder/spool" "$conf"
    sed "s|FOLDER|$folder|; s|NAME|$(hostname -s)|" "$here/slurm.conf" >"$folder/slurm.conf"
    cp "$here/gres.conf" "$folder/gres.conf"
    for file in slurm.conf gres.conf; do
        [[ ! -e $conf/$file || -L $conf/$file ]] || { echo "$conf/$file is there"; exit 1; }
        ln -sfn "$folder/$file" "$conf/$file"
    done
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" \
        --seed-file="$folder/munged.seed"
    slurmctld
    slurmd -N localhost
    for _ in {1..60}; do
        [[ $(sinfo --noheader --format=%T 2>&1) == idle ]] && return
        sleep 0.5
    done
    tail -n 20 "$folder"/*.log
    exit 1
}

stop() {
    for daemon in slurmd slurmctld munged; do
        [[ -s $folder/$daemon.pid ]] || continue
        pid=$(<"$folder/$daemon.pid")
        kill "$pid" 2>/dev/null || continue
        tail --pid="$pid" -f /dev/null
    done
    for file in slurm.conf gres.conf; do
        if [[ $(readlink "$conf/$file") == "$folder/$file" ]]; then rm "$conf/$file"; fi
    done
}

"$1"
