# Daemons without an init system. Each has a name and, in $lab_run,
#   NAME.start  the command line as a small script: what `up`, a repair and `fault restore` all run
#   NAME.pid    its process; every command execs its way to the daemon, so the pid stays the daemon's own
#   NAME.port   the port it listens on, if it has one
#   NAME.birth  that process's start time, so that a reused pid is never taken for ours, nor signalled
# Each daemon leads its own session: its workers are the processes of that session, and no others.

# daemon_define NAME COMMAND...: write down how the daemon is started.
daemon_define() {
  local name=$1
  shift
  printf 'exec %s\n' "$(printf '%q ' "$@")" >"$lab_run/$name.start"
}

# stat_of PID: the fields of /proc/PID/stat after the command's name (which may hold anything): state first,
# start time twentieth (proc(5), fields 3 and 22). Fails when there is no such process.
stat_of() {
  local line
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  echo "${line##*) }"
}

# birth_of PID: its start time in clock ticks since boot; empty for a process that is gone or a zombie.
birth_of() {
  local fields
  read -ra fields < <(stat_of "$1") || return 0
  case ${fields[0]} in Z | X) ;; *) echo "${fields[19]}" ;; esac
}

# daemon_port NAME PORT: note where it listens, for `status`.
daemon_port() { echo "$2" >"$lab_run/$1.port"; }

daemon_pid() { [ -s "$lab_run/$1.pid" ] && echo "$(<"$lab_run/$1.pid")"; }

daemon_alive() {
  local pid birth
  pid=$(daemon_pid "$1") || return 1
  birth=$(birth_of "$pid")
  [ -n "$birth" ] && [ "$birth" = "$(<"$lab_run/$1.birth")" ]
}

daemon_frozen() {
  local fields
  read -ra fields < <(stat_of "$(daemon_pid "$1")") && [ "${fields[0]}" = T ]
}

# daemon_start NAME: start it as it was defined, unless it runs.
daemon_start() {
  local name=$1 pid
  daemon_alive "$name" && return 0
  [ -e "$lab_run/$name.start" ] || die "no daemon is called '$name'; 'status' lists them"
  session_signal KILL "$name" # no worker may outlive its daemon: it would hold the port
  echo "=== $(date -u +%FT%TZ) start $name" >>"$lab_log/$name.log"
  # a clean environment: a daemon must not differ by the shell that started it
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    setsid nohup bash "$lab_run/$name.start" >>"$lab_log/$name.log" 2>&1 </dev/null 9>&- &
  pid=$!
  echo "$pid" >"$lab_run/$name.pid"
  birth_of "$pid" >"$lab_run/$name.birth"
  started+=("$name")
}
started=()

# daemon NAME COMMAND...: define and start.
daemon() {
  daemon_define "$@"
  daemon_start "$1"
}

# session_signal SIGNAL NAME...: signal the daemons and their workers, also workers that outlived their
# daemon. The kernel does not give a pid away while it still names a session, so if another process has the
# pid now, then no worker is left.
session_signal() {
  local signal=$1 name pid birth sid ours=" "
  shift
  for name in "$@"; do
    pid=$(daemon_pid "$name") || continue
    birth=$(birth_of "$pid")
    [ -n "$birth" ] && ! daemon_alive "$name" || ours+="$pid "
  done
  while read -r pid sid; do
    [[ $ours == *" $sid "* ]] || continue
    [ "$(readlink "/proc/$pid/root")" != "$lab_root" ] || kill "-$signal" "$pid" 2>/dev/null || true
  done < <(ps -eo pid=,sess=)
}

# daemons_stop SECONDS NAME...: ask all of them to end, wait that long together, then insist.
daemons_stop() {
  local patience=$1 name
  shift
  session_signal CONT "$@"
  for name in "$@"; do
    ! daemon_alive "$name" || kill -TERM "$(daemon_pid "$name")" 2>/dev/null || true
  done
  none_alive() {
    local n
    for n in "$@"; do ! daemon_alive "$n" || return 1; done
  }
  poll "$patience" none_alive "$@" || true
  session_signal KILL "$@"
  for name in "$@"; do rm -f "$lab_run/$name.pid" "$lab_run/$name.birth"; done
}

# daemon_state NAME: up, frozen (stopped by a signal) or dead.
daemon_state() {
  if ! daemon_alive "$1"; then echo dead; elif daemon_frozen "$1"; then echo frozen; else echo up; fi
}

daemon_names() {
  local f
  for f in "$lab_run"/*.start; do
    [ -e "$f" ] || continue
    f=${f##*/}
    echo "${f%.start}"
  done
}

# await NAME SECONDS WHAT COMMAND...: poll until the command succeeds; a daemon that died meanwhile, or
# that is still not there when the time is over, ends the script with the end of its log.
await() {
  local name=$1 seconds=$2 what=$3 end
  shift 3
  end=$(($(date +%s) + seconds))
  until "$@" >/dev/null 2>&1; do
    daemon_alive "$name" || die "$name died before $what" "$lab_log/$name.log"
    [ "$(date +%s)" -lt "$end" ] || die "$name: not $what within $seconds s" "$lab_log/$name.log"
    sleep 0.2
  done
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# answers URL: uwsgi opens its port before the application is loaded, so only an HTTP answer counts.
answers() {
  case $(curl -s -o /dev/null -m 20 -w '%{http_code}' "$1") in 2?? | 3?? | 401) ;; *) return 1 ;; esac
}
