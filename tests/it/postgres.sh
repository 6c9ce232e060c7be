# Keeps one private PostgreSQL server in the directory $1, with the options $2 of its command line, for as long as standard input stays open, then removes both.
# The tests hold the other end of that pipe: however their process ends, the server goes with it.
set -u
dir=$1
trap '' HUP INT TERM
fail() {
    echo "failed: $*" | tr '\n' ' '
    echo
    rm -rf "$dir"
    exit 1
}

bin=
for candidate in "$(dirname "$(command -v initdb 2>/dev/null || echo /nowhere/initdb)")" /usr/lib/postgresql/15/bin /usr/lib/postgresql/*/bin; do
    if [ -x "$candidate/initdb" ] && [ -x "$candidate/pg_ctl" ]; then
        bin=$candidate
        break
    fi
done
[ -n "$bin" ] || fail "PostgreSQL is not installed (no initdb in PATH or /usr/lib/postgresql); 'bash .ci/test' installs it"

# The server refuses to run as root.
as_owner=
if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 || fail "running as root needs a user 'postgres', since the server refuses to run as root"
    chown postgres "$dir"
    if command -v setpriv >/dev/null 2>&1; then
        as_owner="setpriv --reuid=postgres --regid=postgres --init-groups"
    else
        as_owner="runuser -u postgres --"
    fi
fi

cd "$dir" || fail "cannot enter $dir"
$as_owner "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir.log" 2>&1 || fail "$(cat "$dir.log"; rm -f "$dir.log")"
rm -f "$dir.log"
options="-c listen_addresses= -c unix_socket_directories=$dir -c fsync=on -c max_connections=200 -c shared_buffers=256MB"
options="$options -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=2GB -c checkpoint_timeout=30min"
options="$options ${2:-}"
$as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 -o "$options" start >"$dir/start" 2>&1 || fail "$(cat "$dir/start" "$dir/log" 2>/dev/null)"
echo ready

cat >/dev/null
$as_owner "$bin/pg_ctl" -D "$dir/data" -m immediate -w -t 60 stop >/dev/null 2>&1
rm -rf "$dir"
