#!/bin/sh
# Make a Debian package of programs that are built, with the unit for systemd, the configuration, manual pages and
# completions.
#
#   make-deb.sh PROGRAMS OUTPUT       such as .build/static/release .build
#
# From Debian: binutils, dpkg, gzip, python3. The name of the package that was made goes to standard output. Who makes it
# says so as Debian's tools want it: DEBFULLNAME and DEBEMAIL. SOURCE_DATE_EPOCH is the date, of today otherwise.

set -eu
umask 022

programs=$(cd "$1" && pwd)
output=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
version=$("$programs/broker-server" --version)
architecture=$(dpkg --print-architecture)
maintainer="${DEBFULLNAME:-The Fanfare authors} <${DEBEMAIL:-fanfare@example.org}>"
day="@${SOURCE_DATE_EPOCH:-$(date +%s)}"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

place() { # MODE FILE PATH: a file at its place in the package
    install -D -m "$1" "$2" "$root/$3"
}

for program in broker-server broker-cli; do
    place 755 "$programs/$program" "usr/bin/$program"
    strip "$root/usr/bin/$program"
    mkdir -p "$root/usr/share/man/man1"
    "$here/make-man.py" "$programs/$program" "$(date -u -d "$day" +%Y-%m-%d)" | gzip -9n >"$root/usr/share/man/man1/$program.1.gz"
    for shell in bash:bash-completion/completions/%s zsh:zsh/vendor-completions/_%s fish:fish/vendor_completions.d/%s.fish; do
        file=$root/usr/share/$(printf "${shell#*:}" "$program")
        mkdir -p "$(dirname "$file")"
        # Shells read it; nobody runs it.
        "$programs/$program" --generate-completion-script "${shell%%:*}" | sed '1{/^#!/d;}' >"$file"
    done
done
for unit in fanfare.service fanfare.socket; do place 644 "$here/$unit" "lib/systemd/system/$unit"; done
place 644 "$here/fanfare.yaml" etc/fanfare/fanfare.yaml
for example in nginx.conf nginx-stream.conf haproxy.cfg haproxy-tcp.cfg Caddyfile; do
    place 644 "$here/$example" "usr/share/doc/fanfare/examples/$example"
done
# All of them, for they refer to each other.
for page in "$here"/../docs/*.md "$here"/../docs/*.yaml; do place 644 "$page" "usr/share/doc/fanfare/$(basename "$page")"; done
cat >"$root/usr/share/doc/fanfare/copyright" <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: fanfare

Files: *
Copyright: 2026 the Fanfare authors
License: Apache-2.0
 On Debian systems the full text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
COPYRIGHT
gzip -9n <"$here/../CHANGELOG.md" >"$root/usr/share/doc/fanfare/NEWS.gz"
gzip -9n >"$root/usr/share/doc/fanfare/changelog.gz" <<CHANGES
fanfare ($version) unstable; urgency=medium

  * What has changed is in NEWS.gz.

 -- $maintainer  $(LC_ALL=C date -u -R -d "$day")
CHANGES

# The newest symbols of the C library that the programs want say which one they need.
libc=$(objdump -T "$root"/usr/bin/broker-* | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -V | tail -n 1)

# What lintian is to pass over, with the reason.
mkdir -p "$root/usr/share/lintian/overrides"
cat >"$root/usr/share/lintian/overrides/fanfare" <<OVERRIDES
# The library that reads YAML brings the part of libyaml along that it was tested with.
fanfare: embedded-library libyaml *
# The library of HTTP clients brings along the zlib that it was tested with; what the broker itself compresses goes
# through Debian's.
fanfare: embedded-library zlib *
OVERRIDES
if objdump -p "$root/usr/bin/broker-server" | grep -q 'NEEDED.*libswiftCore'; then
    echo "make-deb.sh: these programs need the libraries of Swift, which no package of Debian has: see make deb" >&2
fi

mkdir -p "$root/DEBIAN"
for script in postinst prerm postrm; do place 755 "$here/debian/$script" "DEBIAN/$script"; done
echo /etc/fanfare/fanfare.yaml >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/control" <<CONTROL
Package: fanfare
Version: $version
Architecture: $architecture
Section: net
Priority: optional
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: libc6 (>= $libc), libgcc-s1, libsqlite3-0, libssl3, libstdc++6, zlib1g
Recommends: ca-certificates
Description: publish/subscribe message broker over WebSockets
 One small server that every browser can subscribe to and any shell script can
 publish to. It speaks Bayeux, so the clients of Faye and CometD work unchanged,
 and keeps what it promised to keep in SQLite.
CONTROL
package=$output/fanfare_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
echo "$package"
