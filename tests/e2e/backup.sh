#!/usr/bin/env bash
# Backups: contacts, with what their user knows of them, and messages if he wants that, come back with the account; the relay keeps them and cannot read them, and
# what it gives that is not the backup, or is not the newest, is refused or said.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

relay_make
relay_start
device_make alice bob carol
say alice bob "hello"
say carol alice "it is carol"
take alice "it is carol"
as alice 0 verify bob --yes

# Without a recovery key there is no key for it.
as alice 0 backup;                          out_has "backup: none"
as alice 1 backup create;                   one_error; err_has "does not keep"
as bob 2 recovery show --backup;            one_error
as bob 2 backup nothing;                    one_error

# Declared with the recovery key; the first one is made at once.
as alice 0 --json recovery setup --yes --backup
KEY="$(sed -n 's/.*"recovery_key":"\([0-9A-Z-]*\)".*/\1/p' "$DIR/out")"
echo "$KEY" > "$DIR/key"
out_has '"mode":"backup"'
event_wait backup_stored '"version":1,"parts":1'
as alice 0 --json backup;                   out_has '"key":true'; out_has '"made":'
as alice 0 --json backup create;            out_has '"version":2'; out_has '"contacts":2'; out_has '"named":0'; err_silent
event_wait backup_stored '"version":2'

# Nothing of it can be read at the relay, and the key that stays in the home opens no account.
[ -x "${SEALMQ_SEARCH:?set SEALMQ_SEARCH to the program that searches}" ] || fail "no search"
! grep -rqaF -e "$KEY" -e "${KEY//-/}" "$DIR/alice" "$RELAY" || fail "the key is in a file"
as bob 0 --json log;                        ACCOUNT="$(field account)"
as alice 0 --json recovery;                 out_has '"mode":"backup"'

# All is lost; the account comes back with its contacts and marks, and goes on making backups.
rm -rf "$DIR/alice"
restore() { INPUT="$DIR/key" as "$1" 0 --json recovery restore --relay "tcp://127.0.0.1:$PORT" --server-key "$RELAY/server.pub" --handle alice; }
restore new
out_has '"backup":true'; out_has '"contacts":2'; err_silent
event_wait backup_read '"version":2'
as new 0 --json verify bob;                 out_has '"verified":true'; out_has "\"account\":\"$ACCOUNT\""
as new 0 --json recovery;                   out_has '"mode":"backup"'
say new bob "back, with you in the book"
take bob "hello"
take bob "back, with you in the book"
as new 0 --json backup create;              out_has '"version":3'

# Messages, where the user says so: both sides of a conversation, and nothing that was to live for a time.
as new 2 backup restore --history;          one_error
as new 2 backup create --history --no-history; one_error
as new 0 history bob;                       lines 1; out_has "you -> bob: back, with you in the book"
say bob alice "kept words";                 take new "kept words"
say bob alice "gone by then" --ttl 3600;    take new "gone by then"
say new bob "mine, for an hour" --ttl 3600; take bob "mine, for an hour"
as new 0 --json history;                    out_has '"text":"kept words"'; out_has '"text":"gone by then"'
as new 0 history carol;                     lines 0; err_has "no messages"
as new 1 history stranger;                  one_error
as new 0 --json backup create --history;    out_has '"version":4'; out_has '"messages":2'; out_has '"messages_left":0'
as new 0 backup;                            out_has "messages of the last"
restore third;                              out_has '"messages":2'
as third 0 history;                         lines 2; out_has "you -> bob: back, with you in the book"; out_has "bob: kept words"
as third 0 history --last 1;                lines 1; out_has "bob: kept words"; out_lacks "gone"; out_lacks "mine"
take_none third
as third 0 --json backup;                   out_has '"history":true'
as new 0 --json backup create --no-history; out_has '"version":5'; out_has '"messages":0'
! grep -rqaF -e "kept words" "$RELAY" "$DIR/third" || fail "a message is in clear in a file"

# Taken again, nothing changes; without the key of the home the paper does.
as new 0 --json backup restore;             out_has '"known":2'
cp -a "$DIR/new" "$DIR/before"
restore second;                             out_has '"contacts":2'
as second 0 --json backup restore --key-file "$DIR/key"; out_has '"known":2'
as bob 0 --json recovery setup --yes
sed -n 's/.*"recovery_key":"\([0-9A-Z-]*\)".*/\1/p' "$DIR/out" > "$DIR/other"
as second 1 backup create --key-file "$DIR/other"; one_error; err_has "not the recovery key of this account"
as bob 1 backup restore --key-file "$DIR/other"; one_error; err_has "no backup of this account"

# A relay that is set back has an older one: who has seen a newer one is told. One that was made under another key does not open.
relay_stop
cp -a "$RELAY" "$DIR/older"
relay_start
as second 0 --json backup create;           out_has '"version":6'
as second 0 --json recovery setup --yes --key-file "$DIR/key"
sed -n 's/.*"recovery_key":"\([0-9A-Z-]*\)".*/\1/p' "$DIR/out" > "$DIR/newkey"
as second 0 --json recovery;                out_has '"mode":"account-only"'
as second 1 backup restore --key-file "$DIR/newkey"; one_error; err_has "does not open under this key"
as second 0 --json backup create --key-file "$DIR/newkey"; out_has '"version":7'
as second 0 --json recovery;                out_has '"mode":"backup"'

# A device that has not heard of the new key yet puts one there that nobody can open with it: the one before is taken, and that is said.
as new 0 --json backup create;              out_has '"version":8'
as second 0 --json backup restore;          out_has '"version":7'; out_has '"fallback":true'; one_error; err_has "the newest backup does not open"
cp "$DIR/newkey" "$DIR/key"
restore fourth;                             out_has '"backup":true'; err_has "the newest backup does not open"
relay_stop
rm -rf "$RELAY/store"
cp -a "$DIR/older/store" "$RELAY/store" 2> /dev/null || fail "where is the store"
relay_start
as second 0 --json backup create --timeout 15; err_has "older backup"; out_has '"older":true'; out_has '"version":9'
done_well
