# Progress lines with seconds, and one way to fail: naming the thing and showing the log that says why.

lab_t0=$(date +%s)

say() { printf '[%4ds] %s\n' $(($(date +%s) - lab_t0)) "$*"; }

# die MESSAGE [LOGFILE]: one clear error and the end of the log that explains it.
die() {
  say "FAILED: $1" >&2
  if [ -n "${2:-}" ] && [ -s "$2" ]; then
    echo "--- last lines of $2" >&2
    tail -n "${LAB_LOG_TAIL:-25}" "$2" >&2
  fi
  exit 1
}

# timed NAME COMMAND...: run a phase and say how long it took.
timed() {
  local name=$1 t
  t=$(date +%s)
  shift
  "$@"
  say "$name: $(($(date +%s) - t)) s"
}

# once STEP COMMAND...: run a one-time step (a schema, a key, a catalogue) unless it succeeded before.
once() {
  local step=$1 log=$lab_log/step-$1.log t took
  [ -e "$lab_done/$step" ] && return 0
  t=$(date +%s)
  shift
  "$@" >"$log" 2>&1 || die "step '$step' ($*)" "$log"
  touch "$lab_done/$step"
  took=$(($(date +%s) - t))
  [ $took -lt 2 ] || say "  $step: $took s"
}

# poll SECONDS COMMAND...: try about five times a second until it succeeds; false when the time is over.
poll() {
  local end=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.2
  done
}
