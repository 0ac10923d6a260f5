# SPDX-License-Identifier: GPL-2.0-only
# What the parts of the page are written with.
# shellcheck shell=bash

escape()
{
	sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'
}

# text WORD...: what comes from elsewhere, as text of the page
text()
{
	printf '%s' "$*" | escape
}

# when FILE: it was written
when()
{
	date -r "$1" '+%Y-%m-%d %H:%M'
}

# missing WHAT TARGET: and what would bring it
missing()
{
	say "<p class=\"missing\">$(text "$1"): <code>make $2</code></p>"
}
