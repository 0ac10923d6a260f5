# SPDX-License-Identifier: GPL-2.0-only
#
# Input: the output of e2e-events. Output: what timeline.gp and vmids.gp draw. X is a place; Y is the
# height of a lane, which are stacked from the top downward, those of a device together.
#
#	range FROM TO HEIGHT
#	device N SID
#	lane Y "NAME"
#	step X "NAME"
#	rollover X
#	bar X Y LENGTH VMID N		device N uses that VMID
#	landed X Y "PAGE"
#	refused X Y
#	entry X Y			a command for an STE or CD
#	sync X Y
#	tlb X Y "NAME"
#	heard X Y "NAME" VMID		a guest's TLBI; "unheard": not by the SMMU
#	single X VMID "STEP"		one that is the only one of its step

function device(sid)
{
	if (!(sid in number)) {
		number[sid] = ++devices
		sids[devices] = sid
	}
	return number[sid]
}

# There is a lane of this kind, and of that device if one is named
function has(kind, sid)
{
	if (sid != "")
		kind = kind device(sid)
	used[kind]
	return kind
}

function note(kind, what, sid, text)
{
	events++
	line[events] = what " " $1
	if (length(text) > longest[kind])
		longest[kind] = length(text)
	lane_of[events] = has(kind, sid)
	rest[events] = text
}

function end_bar(sid, at)
{
	if (sid in since) {
		bars++
		bar[bars] = since[sid]
		bar_lane[bars] = has("vmid", sid)
		bar_rest[bars] = at - since[sid] " " vmid[sid] " " device(sid)
	}
	delete since[sid]
}

function lane(key, title, height)
{
	if (!(key in used))
		return
	top -= height
	y[key] = top
	printf "lane %g \"%s\"\n", top, title
}

function end_step()
{
	if (tlbis == 1)
		printf "single %s \"%s\"\n", tlbi, step
	tlbis = 0
}

NR == 1 { from = $1 }
{ to = $1 + 1 }
$2 == "step" { end_step(); step = $3; printf "step %d \"%s\"\n", $1, $3 }
$2 == "rollover" { print "rollover", $1 }
$2 == "uses" { device($3); end_bar($3, $1); since[$3] = $1; vmid[$3] = $4 }
$2 == "clean" { end_bar($3, $1) }
$2 == "landed" { note("dma", "landed", $3, sprintf("\"%c\"", 65 + $4 % 26)) }
$2 == "refused" { note("dma", "refused", $3) }
$2 == "tlbi" { tlbis++; tlbi = $1 " " $3 }
$2 == "tlbi" { note("guest", $5, "", sprintf("\"%s %d\" %d", $4, $3, $3)) }
$2 == "command" && $3 ~ /^CMD_CFGI/ && $4 != "-" { note("entry", "entry", $4) }
$2 == "command" && $3 ~ /^CMD_TLBI/ {
	note("tlb", "tlb", "", sprintf("\"%s%s\"", substr($3, 10), $5 == "-" ? "" : " " $5))
}
$2 == "command" && $3 == "CMD_SYNC" { note("sync", "sync") }

END {
	if (!NR)
		exit 1
	end_step()
	for (sid in number)
		end_bar(sid, to)
	for (i = 1; i <= devices; i++) {
		print "device", i, sids[i]
		lane("dma" i, sids[i] " DMA", 1)
		lane("vmid" i, sids[i] " VMID", 1)
		lane("entry" i, sids[i] " STE, CD", 1)
		top -= 0.3
	}
	lane("sync", "SYNC", 1)
	lane("tlb", "TLBI command", 1 + longest["tlb"] / 4)
	lane("guest", "TLBI of a guest", 1 + longest["guest"] / 4)
	print "range", from, to, -top
	for (i = 1; i <= bars; i++)
		print "bar", bar[i], y[bar_lane[i]], bar_rest[i]
	for (i = 1; i <= events; i++)
		print line[i], y[lane_of[i]], rest[i]
}
