# Sourced by the lab's scripts: processes, waits and error messages.
#
# The lab runs without systemd, so it must itself know which process is its own. A pid file alone is not proof (pids are
# used again, and a file outlives a reboot): a process counts as ours only while its command line holds a path of the lab.

# say WORDS... ; fail WORDS... (and end the script)
say() { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# fail_with_log MESSAGE LOGFILE: what failed, and the last words of the daemon that did
fail_with_log() {
  printf 'error: %s\n' "$1" >&2
  if [ -s "$2" ]; then
    printf -- '--- end of %s\n' "$2" >&2
    tail -n 20 "$2" >&2
  else
    printf -- '--- %s is empty or missing\n' "$2" >&2
  fi
  exit 1
}

need_root() {
  [ "$(id -u)" = 0 ] || fail "the lab needs root (packages, host names, network namespaces): run it with sudo"
}

# pid_of PIDFILE MARK: prints the pid if that process is alive and its command line holds MARK
pid_of() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] || return 1
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$2" || return 1
  printf '%s\n' "$pid"
}

# process_state PIDFILE MARK: running | frozen (SIGSTOP) | stopped
process_state() {
  local pid
  pid=$(pid_of "$1" "$2") || { echo stopped; return; }
  case $(sed 's/.*) //' 2>/dev/null "/proc/$pid/stat") in
    T*) echo frozen ;;
    [ZX]* | '') echo stopped ;;
    *) echo running ;;
  esac
}

# stop_process PIDFILE MARK: asks, waits 15 s, then kills; thaws it first, for a frozen process cannot end itself
stop_process() {
  local pid tick
  pid=$(pid_of "$1" "$2") || return 0
  kill -TERM "$pid" 2>/dev/null
  kill -CONT "$pid" 2>/dev/null
  for ((tick = 0; tick < 150; tick++)); do
    [ "$(process_state "$1" "$2")" = stopped ] && return 0
    sleep 0.1
  done
  say "process $pid did not end within 15 s, killing it ($2)" >&2
  kill -KILL "$pid" 2>/dev/null
  for ((tick = 0; tick < 50; tick++)); do
    [ "$(process_state "$1" "$2")" = stopped ] && return 0
    sleep 0.1
  done
  fail "process $pid survives SIGKILL ($2)"
}

# signal_process SIGNAL PIDFILE MARK
signal_process() {
  local pid
  pid=$(pid_of "$2" "$3") || return 1
  kill -"$1" "$pid"
}

# wait_for SECONDS COMMAND...: polls until the command succeeds; 1 when the time is over
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.25
  done
}

# resident_kib PID
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status" 2>/dev/null || echo 0; }
