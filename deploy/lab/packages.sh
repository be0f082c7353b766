# Sourced by the lab's scripts: Debian packages, installed only when missing and without starting a single service.

# install_packages PACKAGE...
install_packages() {
  local package missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "the lab installs Debian packages and this system has no apt-get; missing: ${missing[*]}"
  say "installing ${missing[*]}"
  mkdir -p "$MCLOUD_LAB"
  # One installer of the lab at a time: its parts come up side by side, and both touch policy-rc.d.
  (
    flock -w 900 9 || fail "another part of the lab has been installing packages for 15 minutes"
    # invoke-rc.d asks this file whether a service may start; 101 says no. One that is already there is not ours to change.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
      trap 'rm -f /usr/sbin/policy-rc.d' EXIT
      printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
      chmod 755 /usr/sbin/policy-rc.d
    fi
    apt_install "${missing[@]}" && exit 0
    # A bare machine has no package lists, and old ones name versions that are gone.
    say "refreshing the package lists"
    apt_get update && apt_install "${missing[@]}"
  ) 9>"$MCLOUD_LAB/packages.lock" || fail_with_log "apt-get could not install ${missing[*]}" "$MCLOUD_LAB/packages.log"
}

# The lock timeout lets another apt on the machine finish first.
apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" \
    </dev/null >>"$MCLOUD_LAB/packages.log" 2>&1 9>&-
}

apt_install() { apt_get install -y --no-install-recommends "$@"; }
