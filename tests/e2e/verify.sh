#!/usr/bin/env bash
# Two people verify each other: the number, the text and the code that their devices show, what a scan says, what the mark
# survives, what takes it, and what is seen of that.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob carol
# Before anything was said: the relay is asked who that is.
as carol 1 verify nobody;                   one_error; err_has "no account of the name nobody"
as carol 0 --json verify alice;             lines 1; out_has '"verified":false'; err_silent
EARLY="$(field number)"
say alice bob "hello";                      out_has '"verified":false'
as bob 0 --json recv --timeout 10;          out_has '"verified":false'; out_has '"from":"alice"'
say bob carol "hello";                      take carol "hello"
say carol alice "hello";                    take alice "hello"

# The number is the same on both sides, and another one with anybody else.
shown() { as "$1" 0 --json verify "$2"; json_lines; lines 1; NUMBER="$(field number)"; TEXT="$(field text)"; }
shown alice bob;                            out_has '"verified":false'; N="$NUMBER" OF_ALICE="$TEXT"
shown bob alice;                            equal "$NUMBER" "$N" "the number on both sides"; OF_BOB="$TEXT"
grep -qE '^([0-9]{5} ){11}[0-9]{5}$' <<< "$N" || fail "12 groups of 5 digits: $N"
shown alice carol;                          equal "$NUMBER" "$EARLY" "the number before the first message"
shown bob carol;                            [ "$NUMBER" != "$N" ] || fail "carol has the same number"; BOB_TO_CAROL="$TEXT"
as alice 0 verify bob
out_has "bob is not verified"; out_has "${N:0:35}"; out_has "${N:36}"; out_has "$OF_ALICE"; out_has "verify bob --yes"
err_silent
out_lacks "▀"
# On a terminal there is a code: all of its lines have one width.
script -qec "\"$BIN/sealmq\" --home \"$DIR/alice\" verify bob" /dev/null > "$DIR/out" < /dev/null || fail "on a terminal"
grep -E '▀|▄|█' "$DIR/out" | tr -d '\r' | sed 's/\x1b\[[0-9;]*m//g' > "$DIR/code"
[ "$(wc -l < "$DIR/code")" -ge 20 ] || fail "no code on a terminal"
widths() { local LC_ALL=C.UTF-8 line; while IFS= read -r line; do echo "${#line}"; done < "$DIR/code" | sort -u | wc -l; }
equal "$(widths)" 1 "widths of the code's lines"

# What is no text, or not all of it, is said to be that; of somebody else's nobody is verified.
as alice 1 verify bob --scan "${OF_BOB%?}"; one_error; err_has "not all of it"; lines 0
as alice 1 verify bob --scan "hello";       one_error; err_has "not the text of a sealmq device"
as alice 1 verify bob --scan "sealmq:verify:2:ABC"; one_error; err_has "later version"
as alice 1 verify bob --scan "$BOB_TO_CAROL"; one_error; err_has "not bob's text about you"; out_has "bob is not verified"
as alice 1 --json verify bob --scan "$OF_ALICE"; out_has '"verdict":"other"'; out_has '"verified":false'
as alice 2 verify bob --yes --clear;        one_error
as alice 2 verify "a b";                    one_error
as alice 2 verify

# A scan that matches verifies; digits that people have compared do it by their word; and it can be taken back.
as alice 0 verify bob --scan "$OF_BOB";     out_has "bob is verified"; err_silent
as bob 0 --json verify alice --scan "${OF_ALICE^^}"; out_has '"verdict":"match"'; out_has '"verified":true'
say alice bob "from one who is verified";   out_has '"verified":true'
as bob 0 --json recv --timeout 10;          out_has '"verified":true'
as carol 0 verify alice --yes;              out_has "alice is verified"
as carol 0 verify alice --clear;            out_has "alice is not verified"
as carol 0 --json verify alice;             out_has '"verified":false'; equal "$(field lost)" "" "nothing was lost"

# Bob has another key: the mark stays. An older text still fits, and a newer one is looked up.
as bob 0 --json rotate
as bob 0 --json verify alice;               NEWER="$(field text)"; equal "$(field number)" "$N" "the number stays"
as alice 0 --json verify bob --scan "$OF_BOB"; out_has '"verdict":"match"'
relay_stop
as alice 3 --json verify bob --scan "$NEWER" --timeout 1; out_has '"verdict":"newer"'; out_has '"verified":true'; one_error
relay_start
as alice 0 --json verify bob --scan "$NEWER"; out_has '"verdict":"match"'; out_has '"verified":true'
as alice 0 --json log bob;                  equal "$(field length)" 2 "what alice holds of bob"
say alice bob "after the rotation";         out_has '"verified":true'; err_silent
take bob "after the rotation"

# Two histories of Bob's keys: his home is copied, and the copy (a thief's) goes on by itself at a relay that was set back.
# Whoever compares finds it out, and the mark is gone where everybody sees it.
relay_stop
cp -a "$DIR/bob" "$DIR/thief"; cp -a "$RELAY/store" "$DIR/store-before"
relay_start
as bob 0 --json rotate
as alice 0 --json log bob;                  equal "$(field length)" 2 "alice has not seen it"
relay_stop
rm -rf "$RELAY/store"; cp -a "$DIR/store-before" "$RELAY/store"
relay_start
as thief 0 --json rotate
as thief 0 --json verify alice;             THIEF="$(field text)"
as alice 0 --json verify bob --scan "$THIEF"; out_has '"verdict":"match"'
as bob 0 --json verify alice;               OF_BOB="$(field text)"
as alice 1 --json verify bob --scan "$OF_BOB"
out_has '"verdict":"fork"'; out_has '"verified":false'; out_has '"lost":"fork"'; err_has "different histories"
as alice 0 verify bob;                      out_has "bob was verified, and is not any more"; out_has "(fork)"
as alice 1 --json send bob "to whoever that is" --id whoever; out_has '"state":"held"'; out_has '"verified":false'
err_has "warning: bob was verified, and is not any more (fork)"; err_has "release whoever"
as alice 0 --json release whoever;          out_has '"state":"accepted"'; out_has '"verified":false'
as alice 0 verify bob --clear
say alice bob "knowing that";               err_silent

# The relay shows Alice, who has verified the thief's history, another one when it is set back again: the mark goes by itself.
as alice 0 verify bob --yes;                out_has "bob is verified"
relay_stop
rm -rf "$RELAY/store"; cp -a "$DIR/store-before" "$RELAY/store"
relay_start
as bob 0 --json rotate
as alice 1 send bob "to the other history"; err_has "held"; err_has "warning: bob: A contact was verified and is not any more"
as alice 0 --json verify bob;               out_has '"lost":"fork"'

done_well
