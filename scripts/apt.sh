# SPDX-License-Identifier: GPL-2.0-only
# Packages of trixie and trixie-backports on any Debian host, without root and
# without touching its apt: state of our own in the cache, the mirror from the
# host's configuration.
# shellcheck shell=bash

apt_dir=$VSVA_CACHE/debian

# The host's mirrors of Debian itself. apt reads its own configuration, so both
# formats and every include of it are understood.
apt_mirrors()
{
	local codename

	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && say "${VERSION_CODENAME:-}")
	apt-get --print-uris update 2>/dev/null |
		sed -n "s,^'\(.*\)/dists/\($codename\|stable\|trixie\)/InRelease' .*,\1,p" |
		sort -u
}

# private_apt TOOL ARGUMENT...
private_apt()
{
	local tool=$1
	shift

	"$tool" -o Dir::State="$apt_dir/state" \
		-o Dir::State::status="$apt_dir/state/status" \
		-o Dir::Cache="$apt_dir/cache" \
		-o Dir::Etc::sourcelist="$apt_dir/sources.list" \
		-o Dir::Etc::sourceparts=- \
		-o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- \
		-o APT::Sandbox::User="$(id -un)" \
		-o APT::Default-Release=trixie-backports \
		-o APT::Install-Recommends=false ${apt_arch:+-o APT::Architecture="$apt_arch"
		-o APT::Architectures="$apt_arch"} "$@"
}

# The lists, from the first mirror that has the suites.
apt_lists()
{
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	local option='' uri suite

	[ ! -f $keyring ] || option="[signed-by=$keyring] "
	mkdir -p "$apt_dir/state/lists/partial" "$apt_dir/cache/archives/partial"
	: >"$apt_dir/state/status"
	for uri in $(apt_mirrors); do
		for suite in trixie trixie-backports; do
			say "deb $option$uri $suite main"
		done >"$apt_dir/sources.list"
		private_apt apt-get --error-on=any -q update && return 0
	done
	say "no mirror in apt's configuration answers for trixie-backports${apt_arch:+ on $apt_arch}"
	return 1
}

# apt_unpack DIR PACKAGE...: the packages, with what they depend on if $deps is
# set, unpacked below DIR.
apt_unpack()
{
	local dir=$1 deb
	shift

	apt_lists || return
	rm -f "$apt_dir"/cache/archives/*.deb
	if [ -n "${deps:-}" ]; then
		private_apt apt-get -q -y --download-only install "$@" || return
	else
		(cd "$apt_dir/cache/archives" &&
		 private_apt apt-get -q download "$@") || return
	fi
	for deb in "$apt_dir"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$dir" || return
	done
	rm -f "$apt_dir"/cache/archives/*.deb
}
