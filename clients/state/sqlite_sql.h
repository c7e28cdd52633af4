/* sqlite_sql: the schema and every statement of the SQLite backend; private to it.
 *
 * Bytes are blobs. A u64 that SQL compares is a blob of 8 bytes, big-endian, whose order is the
 * number's; other numbers are INTEGER, a u64 as its bit pattern. Lists of fixed-size things
 * (devices, attempts, parts) are packed into one blob; sqlite_outbox.c and sqlite_rows.c say
 * how. */
#ifndef SEALMQ_CLIENTS_STATE_SQLITE_SQL_H
#define SEALMQ_CLIENTS_STATE_SQLITE_SQL_H

#define SQLITE_APPLICATION_ID 0x53514d51 /* "SQMQ", in the file's header */

/* Version 1. A later version is one more text, run over the earlier ones' result. */
#define SCHEMA_1                                                                                   \
    "CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1), account BLOB NOT NULL,"       \
    " device BLOB NOT NULL, signing BLOB NOT NULL, agreement BLOB NOT NULL,"                       \
    " transport BLOB NOT NULL, entry BLOB NOT NULL, handle BLOB NOT NULL,"                         \
    " endpoints BLOB NOT NULL, server BLOB NOT NULL, registered INTEGER NOT NULL,"                 \
    " claimed INTEGER NOT NULL);"                                                                  \
    "CREATE TABLE secrets (one INTEGER PRIMARY KEY CHECK (one = 1), signing BLOB NOT NULL,"        \
    " agreement BLOB NOT NULL, transport BLOB NOT NULL);"                                          \
    "CREATE TABLE setting (name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"             \
    "CREATE TABLE handle (handle BLOB PRIMARY KEY, account BLOB NOT NULL) WITHOUT ROWID;"          \
    "CREATE INDEX handle_account ON handle (account, handle);"                                     \
    "CREATE TABLE contact (account BLOB PRIMARY KEY, key_version INTEGER NOT NULL,"                \
    " head BLOB NOT NULL, devices BLOB NOT NULL, checked_ms INTEGER NOT NULL) WITHOUT ROWID;"      \
    "CREATE TABLE outbox (ord INTEGER PRIMARY KEY AUTOINCREMENT, class INTEGER NOT NULL,"          \
    " caller_key BLOB NOT NULL UNIQUE, id BLOB UNIQUE, handle BLOB NOT NULL,"                      \
    " target BLOB NOT NULL, state INTEGER NOT NULL, reason INTEGER NOT NULL,"                      \
    " content BLOB NOT NULL, ttl_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL,"                \
    " due_ms BLOB NOT NULL, ended_ms BLOB NOT NULL, tries INTEGER NOT NULL,"                       \
    " rounds INTEGER NOT NULL, submitted INTEGER NOT NULL, doubtful INTEGER NOT NULL,"             \
    " lost INTEGER NOT NULL, digest BLOB NOT NULL, attempts BLOB NOT NULL,"                        \
    " level INTEGER NOT NULL, expires_ms INTEGER NOT NULL, store BLOB NOT NULL,"                   \
    " term BLOB NOT NULL, receipt_commit BLOB NOT NULL, key_id INTEGER NOT NULL,"                  \
    " accepted_ms INTEGER NOT NULL, mac BLOB NOT NULL, parts BLOB NOT NULL);"                      \
    "CREATE INDEX outbox_class ON outbox (class, ord);"                                            \
    "CREATE INDEX outbox_ended ON outbox (ended_ms, ord) WHERE class = 3;"                         \
    "CREATE INDEX outbox_receipt ON outbox (store, term, receipt_commit, ord) WHERE class = 2;"    \
    "CREATE TABLE body (ord INTEGER PRIMARY KEY REFERENCES outbox (ord) ON DELETE CASCADE,"        \
    " payload BLOB NOT NULL, item BLOB NOT NULL, ciphertext BLOB NOT NULL,"                        \
    " answer BLOB NOT NULL);"                                                                      \
    "CREATE TABLE inbox (ord INTEGER PRIMARY KEY AUTOINCREMENT, sender_account BLOB NOT NULL,"     \
    " sender_device BLOB NOT NULL, id BLOB NOT NULL, term BLOB NOT NULL, seq INTEGER NOT NULL,"    \
    " accepted_ms INTEGER NOT NULL, received_ms BLOB NOT NULL, shown INTEGER NOT NULL,"            \
    " body BLOB NOT NULL, UNIQUE (sender_device, id));"                                            \
    "CREATE INDEX inbox_unshown ON inbox (ord) WHERE shown = 0;"                                   \
    "CREATE INDEX inbox_shown ON inbox (received_ms, ord) WHERE shown = 1;"                        \
    "CREATE INDEX inbox_body ON inbox (received_ms, ord) WHERE shown = 1 AND length(body) > 0;"    \
    "CREATE TABLE ack (term BLOB, seq BLOB, reason INTEGER NOT NULL, PRIMARY KEY (term, seq))"     \
    " WITHOUT ROWID;"                                                                              \
    "CREATE TABLE term (store BLOB PRIMARY KEY, term BLOB NOT NULL) WITHOUT ROWID;"

/* Version 2: whole identity logs in place of contacts' device lists (who is known is looked up again), a secret on its
 * way, prekeys. AUTOINCREMENT's promise for prekeys is `last`: no id comes again, also after the newest was dropped. */
#define SCHEMA_2                                                                                   \
    "DROP TABLE contact;"                                                                          \
    "CREATE TABLE contact (account BLOB PRIMARY KEY, log BLOB NOT NULL, checked_ms INTEGER NOT NULL)" \
    " WITHOUT ROWID;"                                                                              \
    "CREATE TABLE entry (account BLOB, number INTEGER, entry BLOB NOT NULL,"                       \
    " PRIMARY KEY (account, number)) WITHOUT ROWID;"                                               \
    "ALTER TABLE secrets ADD COLUMN next_agreement BLOB NOT NULL DEFAULT"                          \
    " x'0000000000000000000000000000000000000000000000000000000000000000';"                        \
    "CREATE TABLE prekey (kind INTEGER, id INTEGER, made_ms BLOB NOT NULL, public BLOB NOT NULL,"  \
    " secret BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;"                                \
    "CREATE TABLE prekey_last (kind INTEGER PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;"

/* Version 3: sealing: sessions with other devices, the message keys kept in them, counters; what a sealed message is
 * besides its bytes. */
#define SCHEMA_3                                                                                   \
    "CREATE TABLE session (number INTEGER PRIMARY KEY AUTOINCREMENT, peer BLOB NOT NULL,"          \
    " rank INTEGER NOT NULL, retired INTEGER NOT NULL, made_ms INTEGER NOT NULL,"                  \
    " session BLOB NOT NULL);"                                                                     \
    "CREATE INDEX session_peer ON session (peer, rank);"                                           \
    "CREATE TABLE skipped (ord INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER NOT NULL"        \
    " REFERENCES session (number) ON DELETE CASCADE, ratchet BLOB NOT NULL, number INTEGER NOT NULL," \
    " secret BLOB NOT NULL, UNIQUE (session, ratchet, number));"                                   \
    "CREATE INDEX skipped_session ON skipped (session, ord);"                                      \
    "CREATE TABLE start (ephemeral BLOB PRIMARY KEY, made_ms BLOB NOT NULL) WITHOUT ROWID;"        \
    "CREATE TABLE counter (kind INTEGER, key BLOB, value INTEGER NOT NULL, PRIMARY KEY (kind, key))" \
    " WITHOUT ROWID;"                                                                              \
    "ALTER TABLE outbox ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;"                             \
    "ALTER TABLE outbox ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;"                            \
    "ALTER TABLE body ADD COLUMN head BLOB NOT NULL DEFAULT x'';"                                  \
    "ALTER TABLE inbox ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;"                              \
    "ALTER TABLE inbox ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;"                              \
    "ALTER TABLE inbox ADD COLUMN target BLOB;"                                              \
    "ALTER TABLE inbox ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;"                             \
    "ALTER TABLE inbox ADD COLUMN commitment BLOB;"                                          \
    "ALTER TABLE inbox ADD COLUMN stamp_key INTEGER NOT NULL DEFAULT 0;"                           \
    "ALTER TABLE inbox ADD COLUMN stamp BLOB;"                                               \
    "ALTER TABLE inbox ADD COLUMN head BLOB NOT NULL DEFAULT x'';"                                 \
    "ALTER TABLE inbox ADD COLUMN counter INTEGER NOT NULL DEFAULT 0;"                             \
    "ALTER TABLE inbox ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;"                             \
    "DROP INDEX inbox_unshown;"                                                                    \
    "CREATE INDEX inbox_unshown ON inbox (ord) WHERE shown = 0 AND closed = 0;"                    \
    "CREATE INDEX inbox_unsettled ON inbox (ord) WHERE closed = 1 OR (shown = 0 AND sealed = 0);"  \
    "CREATE INDEX inbox_closed ON inbox (ord) WHERE closed = 1;"

/* Version 4: the vault. From here on secret columns are sealed; those that were there already, SEAL_4 seals. dirty: the
 * file may still hold in clear what an earlier version wrote. kind: 1 = key file, 2 = passphrase. */
#define SCHEMA_4                                                                                   \
    "CREATE TABLE vault (one INTEGER PRIMARY KEY CHECK (one = 1), kind INTEGER NOT NULL,"          \
    " salt BLOB NOT NULL, operations INTEGER NOT NULL, memory INTEGER NOT NULL,"                   \
    " sealed BLOB NOT NULL, dirty INTEGER NOT NULL);"
#define VAULT_SCHEMA 4u

/* Version 5: verified contacts. */
#define SCHEMA_5                                                                                   \
    "ALTER TABLE contact ADD COLUMN verified_ms INTEGER NOT NULL DEFAULT 0;"                       \
    "ALTER TABLE contact ADD COLUMN loss INTEGER NOT NULL DEFAULT 0;"                              \
    "ALTER TABLE contact ADD COLUMN lost_ms INTEGER NOT NULL DEFAULT 0;"

/* Version 6: what is held of a contact's history beside its log: its doubts and its devices' statements; messages that wait for a look-up. */
#define SCHEMA_DRIFT                                                                               \
    "ALTER TABLE contact ADD COLUMN incoming INTEGER NOT NULL DEFAULT 0;"                          \
    "ALTER TABLE contact ADD COLUMN hold INTEGER NOT NULL DEFAULT 0;"                              \
    "ALTER TABLE contact ADD COLUMN hold_ms INTEGER NOT NULL DEFAULT 0;"                           \
    "ALTER TABLE contact ADD COLUMN hold_head BLOB;"                                               \
    "ALTER TABLE contact ADD COLUMN stated_version INTEGER NOT NULL DEFAULT 0;"                    \
    "ALTER TABLE contact ADD COLUMN stated_head BLOB;"                                             \
    "ALTER TABLE contact ADD COLUMN stated_ms INTEGER NOT NULL DEFAULT 0;"                         \
    "ALTER TABLE contact ADD COLUMN stated_warned_ms INTEGER NOT NULL DEFAULT 0;"                  \
    "ALTER TABLE outbox ADD COLUMN fresh INTEGER NOT NULL DEFAULT 0;"                              \
    "CREATE INDEX outbox_held ON outbox (ord) WHERE state = 8;"

/* Version 7: copies for our other devices: each goes with its message. In the columns that were unique for messages alone
 * (caller_key, id) a copy has one byte 1 more. */
#define SCHEMA_COPIES                                                                              \
    "ALTER TABLE outbox ADD COLUMN copy_of INTEGER REFERENCES outbox (ord) ON DELETE CASCADE;"     \
    "CREATE UNIQUE INDEX outbox_copy ON outbox (copy_of);"                                         \
    "ALTER TABLE inbox ADD COLUMN sent_to BLOB;"

/* Version 8: what is said of other accounts. said: what counts, wished or held. */
#define SCHEMA_VERDICTS                                                                            \
    "CREATE TABLE verdict (account BLOB PRIMARY KEY, held INTEGER NOT NULL,"                       \
    " wished INTEGER NOT NULL, wish INTEGER NOT NULL, asked_ms INTEGER NOT NULL,"                  \
    " said INTEGER NOT NULL) WITHOUT ROWID;"                                                       \
    "CREATE INDEX verdict_wished ON verdict (account) WHERE wished = 1;"                           \
    "CREATE INDEX verdict_asked ON verdict (account) WHERE said = 0 AND asked_ms <> 0;"

/* Version 9: secret keys of no device. */
#define SCHEMA_KEPT_KEY                                                                            \
    "CREATE TABLE kept_key (which INTEGER PRIMARY KEY, secret BLOB NOT NULL);"

/* Version 10: messages that are kept from the user, and those with a time to live. */
#define SCHEMA_WITHHELD                                                                            \
    "ALTER TABLE inbox ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;"                            \
    "ALTER TABLE inbox ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;"                          \
    "CREATE INDEX inbox_withheld ON inbox (ord) WHERE withheld = 1;"

/* seal(label, value, key...): as bind_sealed, each part of the row's key an argument; sqlite_vault.c has it. */
#define SEAL_4                                                                                     \
    "UPDATE secrets SET signing = seal('secrets.signing', signing),"                               \
    " agreement = seal('secrets.agreement', agreement),"                                           \
    " transport = seal('secrets.transport', transport),"                                           \
    " next_agreement = seal('secrets.next_agreement', next_agreement);"                            \
    "UPDATE prekey SET secret = seal('prekey.secret', secret, kind, id);"                          \
    "UPDATE outbox SET content = seal('outbox.content', content, caller_key);"                     \
    "UPDATE body SET payload = seal('body.payload', payload, ord),"                                \
    " head = seal('body.head', head, ord);"                                                        \
    "UPDATE inbox SET body = seal('inbox.body', body, sender_device, id),"                         \
    " head = seal('inbox.head', head, sender_device, id);"                                         \
    "UPDATE session SET session = seal('session.session', session, number);"                       \
    "UPDATE skipped SET secret = seal('skipped.secret', secret, session, ratchet, number);"

/* The outbox columns that follow its class, in the order in which sqlite_outbox.c binds and
 * reads. */
#define OUTBOX_COLUMNS                                                                             \
    "copy_of, caller_key, id, handle, target, state, reason, content, ttl_ms, created_ms, due_ms, ended_ms,"\
    " tries, rounds, submitted, doubtful, lost, digest, attempts, level, expires_ms, store, term," \
    " receipt_commit, key_id, accepted_ms, mac, parts, sealed, attempt, fresh"
#define OUTBOX_VALUES "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"
#define OUTBOX_SELECT "SELECT ord, " OUTBOX_COLUMNS " FROM outbox "

#define VERDICT_SELECT "SELECT account, held, wished, wish, asked_ms FROM verdict "

#define INBOX_COLUMNS                                                                              \
    "sender_account, sender_device, id, term, seq, accepted_ms, received_ms, body, shown, sealed," \
    " closed, target, attempt, commitment, stamp_key, stamp, head, counter, missing, sent_to, withheld,"  \
    " expires_ms"
#define INBOX_SELECT "SELECT ord, " INBOX_COLUMNS " FROM inbox "

#define CONTACT_COLUMNS                                                                            \
    "log, checked_ms, verified_ms, loss, lost_ms, incoming, hold, hold_ms, hold_head,"             \
    " stated_version, stated_head, stated_ms, stated_warned_ms"

/* X(NAME, "text") */
#define STATEMENT_LIST(X)                                                                          \
    X(BEGIN_READ, "BEGIN DEFERRED")                                                                \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                              \
    X(SNAPSHOT, "SELECT count(*) FROM identity")                                                   \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(VAULT_GET, "SELECT kind, salt, operations, memory, sealed, dirty FROM vault")                \
    X(VAULT_PUT, "INSERT INTO vault VALUES (1,?,?,?,?,?,?)")                                       \
    X(VAULT_CLEANED, "UPDATE vault SET dirty = 0")                                                 \
    X(IDENTITY_GET, "SELECT account, device, signing, agreement, transport, entry, handle,"        \
                    " endpoints, server, registered, claimed FROM identity")                       \
    X(IDENTITY_PUT, "INSERT OR REPLACE INTO identity VALUES (1,?,?,?,?,?,?,?,?,?,?,?)")            \
    X(SECRETS_GET, "SELECT signing, agreement, transport, next_agreement FROM secrets")            \
    X(SECRETS_PUT, "INSERT OR REPLACE INTO secrets VALUES (1,?,?,?,?)")                            \
    X(SETTING_GET, "SELECT value FROM setting WHERE name = ?")                                     \
    X(SETTING_PUT, "INSERT OR REPLACE INTO setting VALUES (?,?)")                                  \
    X(SETTING_DROP, "DELETE FROM setting WHERE name = ?")                                          \
    X(HANDLE_GET, "SELECT account FROM handle WHERE handle = ?")                                   \
    X(HANDLE_PUT, "INSERT OR REPLACE INTO handle VALUES (?,?)")                                    \
    X(CONTACT_GET, "SELECT " CONTACT_COLUMNS " FROM contact WHERE account = ?")                    \
    X(CONTACT_PUT, "INSERT OR REPLACE INTO contact (account, " CONTACT_COLUMNS ")"                 \
                   " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)")                                        \
    X(ENTRY_PUT, "INSERT OR REPLACE INTO entry VALUES (?,?,?)")                                    \
    X(ENTRY_SCAN, "SELECT number, entry FROM entry WHERE account = ? AND number >= ?"              \
                  " ORDER BY number LIMIT ?")                                                      \
    X(PREKEY_PUT, "INSERT OR REPLACE INTO prekey VALUES (?,?,?,?,?)")                              \
    X(PREKEY_NOTE, "INSERT INTO prekey_last VALUES (?1,?2) ON CONFLICT (kind) DO UPDATE"           \
                   " SET id = max(id, ?2)")                                                        \
    X(PREKEY_GET, "SELECT made_ms, public, secret FROM prekey WHERE kind = ? AND id = ?")          \
    X(PREKEY_LAST, "SELECT id FROM prekey_last WHERE kind = ?")                                    \
    X(PREKEY_DROP, "DELETE FROM prekey WHERE kind = ? AND id = ?")                                 \
    X(PREKEY_PRUNE, "DELETE FROM prekey WHERE kind = ? AND made_ms < ?")                           \
    X(PREKEY_FORGET, "DELETE FROM prekey WHERE kind = ? AND id < ?")                               \
    X(CONTACT_NEXT, "SELECT account FROM contact WHERE account > ? ORDER BY account LIMIT 1")      \
    X(KEPT_KEY_GET, "SELECT secret FROM kept_key WHERE which = ?")                                 \
    X(KEPT_KEY_PUT, "INSERT OR REPLACE INTO kept_key VALUES (?,?)")                                \
    X(KEPT_KEY_DROP, "DELETE FROM kept_key WHERE which = ?")                                       \
    X(CONTACT_HANDLE, "SELECT handle FROM handle WHERE account = ? ORDER BY handle LIMIT 1")       \
    X(VERDICT_GET, VERDICT_SELECT "WHERE account = ?")                                             \
    X(VERDICT_PUT, "INSERT OR REPLACE INTO verdict VALUES (?,?,?,?,?,?)")                          \
    X(VERDICT_DROP, "DELETE FROM verdict WHERE account = ?")                                       \
    X(VERDICT_SCAN, VERDICT_SELECT "WHERE account > ? ORDER BY account LIMIT ?")                   \
    X(VERDICT_SCAN_SAID, VERDICT_SELECT "WHERE account > ? AND said <> 0 ORDER BY account LIMIT ?") \
    X(VERDICT_SCAN_WISHED, VERDICT_SELECT "WHERE account > ? AND wished = 1 ORDER BY account"      \
                           " LIMIT ?")                                                             \
    X(VERDICT_SCAN_ASKED, VERDICT_SELECT "WHERE account > ? AND said = 0 AND asked_ms <> 0"        \
                          " ORDER BY account LIMIT ?")                                             \
    X(VERDICT_COUNT, "SELECT count(*) FROM verdict")                                               \
    X(VERDICT_COUNT_SAID, "SELECT count(*) FROM verdict WHERE said <> 0")                          \
    X(VERDICT_COUNT_WISHED, "SELECT count(*) FROM verdict WHERE wished = 1")                       \
    X(VERDICT_COUNT_ASKED, "SELECT count(*) FROM verdict WHERE said = 0 AND asked_ms <> 0")        \
    X(OUTBOX_ADD, "INSERT INTO outbox (class, " OUTBOX_COLUMNS ") VALUES (?," OUTBOX_VALUES ")")   \
    X(OUTBOX_SET, "UPDATE outbox SET (class, " OUTBOX_COLUMNS ") = (?," OUTBOX_VALUES ")"          \
                  " WHERE ord = ?")                                                                \
    X(OUTBOX_GET, OUTBOX_SELECT "WHERE ord = ?")                                                   \
    X(OUTBOX_FIND_KEY, OUTBOX_SELECT "WHERE caller_key = ?")                                       \
    X(OUTBOX_FIND_ID, OUTBOX_SELECT "WHERE id = ?")                                                \
    X(OUTBOX_COPY, OUTBOX_SELECT "WHERE copy_of = ?")                                              \
    X(OUTBOX_SCAN, OUTBOX_SELECT "WHERE ord > ?1 AND (?2 OR due_ms <= ?3 OR due_ms > ?4)"          \
                   " ORDER BY ord LIMIT ?5")                                                       \
    X(OUTBOX_SCAN_CLASS, OUTBOX_SELECT "WHERE ord > ?1 AND (?2 OR due_ms <= ?3 OR due_ms > ?4)"    \
                         " AND class = ?6 ORDER BY ord LIMIT ?5")                                  \
    X(OUTBOX_SCAN_HELD, OUTBOX_SELECT "WHERE state = 8 AND ord > ?1 ORDER BY ord LIMIT ?2")        \
    X(OUTBOX_RECEIPT, OUTBOX_SELECT "WHERE class = 2 AND store = ?1"                               \
                      " AND (term, receipt_commit) >= (?2, ?3)"                                    \
                      " AND NOT (term = ?2 AND receipt_commit = ?3 AND ord <= ?4)"                 \
                      " ORDER BY term, receipt_commit, ord LIMIT 1")                               \
    X(BODY_ADD, "INSERT INTO body VALUES (?, x'', x'', x'', x'', x'')")                            \
    X(BODY_GET, "SELECT payload, item, ciphertext, answer, head FROM body WHERE ord = ?")          \
    X(BODY_SET, "UPDATE body SET (payload, item, ciphertext, answer, head) = (?,?,?,?,?)"          \
                " WHERE ord = ?")                                                                  \
    X(SESSION_ADD, "INSERT INTO session (peer, rank, retired, made_ms, session)"                   \
                   " VALUES (?,?,?,?,x'')")                                                        \
    X(SESSION_SET, "UPDATE session SET (peer, rank, retired, made_ms, session) = (?,?,?,?,?)"      \
                   " WHERE number = ?")                                                            \
    X(SESSION_SCAN, "SELECT number, peer, rank, retired, made_ms, session FROM session"            \
                    " WHERE peer = ? ORDER BY rank DESC, number DESC LIMIT ?")                     \
    X(SESSION_DROP, "DELETE FROM session WHERE number = ?")                                        \
    X(SESSIONS_RETIRE, "UPDATE session SET retired = 1 WHERE retired = 0")                         \
    X(SKIPPED_PUT, "INSERT OR REPLACE INTO skipped (session, ratchet, number, secret)"             \
                   " VALUES (?,?,?,?)")                                                            \
    X(SKIPPED_GET, "SELECT secret FROM skipped WHERE session = ? AND ratchet = ? AND number = ?")  \
    X(SKIPPED_DROP, "DELETE FROM skipped WHERE session = ? AND ratchet = ? AND number = ?")        \
    X(SKIPPED_TRIM, "DELETE FROM skipped WHERE ord IN (SELECT ord FROM skipped WHERE session = ?"  \
                    " ORDER BY ord DESC LIMIT -1 OFFSET ?)")                                       \
    X(START_PUT, "INSERT OR REPLACE INTO start VALUES (?,?)")                                      \
    X(START_GET, "SELECT 1 FROM start WHERE ephemeral = ?")                                        \
    X(START_PRUNE, "DELETE FROM start WHERE made_ms < ?")                                          \
    X(COUNTER_GET, "SELECT value FROM counter WHERE kind = ? AND key = ?")                         \
    X(COUNTER_PUT, "INSERT OR REPLACE INTO counter VALUES (?,?,?)")                                \
    X(INBOX_ADD, "INSERT INTO inbox (" INBOX_COLUMNS ") SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9," \
                 " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22"                \
                 " WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE sender_device = ?2 AND id = ?3)")   \
    X(INBOX_FIND, "SELECT ord, sender_account, sender_device, id, term, seq, accepted_ms, received_ms," \
                  " x'', shown, sealed, closed, target, attempt, commitment, stamp_key, stamp, x''," \
                  " counter, missing, sent_to, withheld, expires_ms FROM inbox"                    \
                  " WHERE sender_device = ? AND id = ?")                                           \
    X(INBOX_SCAN, INBOX_SELECT "WHERE ord > ? AND closed = 0 ORDER BY ord LIMIT ?")                \
    X(INBOX_SCAN_UNSHOWN, INBOX_SELECT "WHERE shown = 0 AND closed = 0 AND ord > ?"                \
                          " ORDER BY ord LIMIT ?")                                                 \
    X(INBOX_SCAN_UNSETTLED, INBOX_SELECT "WHERE (closed = 1 OR (shown = 0 AND sealed = 0)) AND ord > ?" \
                            " ORDER BY ord LIMIT ?")                                               \
    X(INBOX_SCAN_CLOSED, INBOX_SELECT "WHERE closed = 1 AND ord > ? ORDER BY ord LIMIT ?")         \
    X(INBOX_OPEN, "UPDATE inbox SET (body, head, counter, missing, sent_to, closed) = (?,?,?,?,?,0)" \
                  " WHERE ord = ? AND closed = 1")                                                 \
    X(INBOX_DROP, "DELETE FROM inbox WHERE ord = ? AND closed = 1")                                \
    X(INBOX_SCAN_WITHHELD, INBOX_SELECT "WHERE withheld = 1 AND ord > ? ORDER BY ord LIMIT ?")     \
    X(INBOX_SHOW, "UPDATE inbox SET shown = 1, withheld = 0 WHERE ord = ? AND closed = 0")         \
    X(INBOX_WITHHOLD, "UPDATE inbox SET shown = 1, withheld = 1 WHERE ord = ? AND closed = 0"      \
                      " AND shown = 0")                                                            \
    X(INBOX_RELEASE, "UPDATE inbox SET shown = 0, withheld = 0 WHERE ord = ? AND withheld = 1")    \
    X(ACK_PUT, "INSERT OR REPLACE INTO ack VALUES (?,?,?)")                                        \
    X(ACK_SCAN, "SELECT term, seq, reason FROM ack ORDER BY term, seq LIMIT ?")                    \
    X(ACK_DROP, "DELETE FROM ack WHERE (term, seq) <= (?,?)")                                      \
    X(TERM_GET, "SELECT term FROM term WHERE store = ?")                                           \
    X(TERM_PUT, "INSERT OR REPLACE INTO term VALUES (?,?)")                                        \
    X(PRUNE_OUTBOX_MORE, "SELECT 1 FROM outbox WHERE class = 3 AND ended_ms < ? AND copy_of IS NULL" \
                         " LIMIT 1")                                                               \
    X(PRUNE_BODY_MORE, "SELECT 1 FROM inbox WHERE shown = 1 AND length(body) > 0"                  \
                       " AND received_ms < ? LIMIT 1")                                             \
    X(PRUNE_INBOX_MORE, "SELECT 1 FROM inbox WHERE shown = 1 AND received_ms < ? LIMIT 1")         \
    X(PRUNE_OUTBOX, "DELETE FROM outbox WHERE ord IN (SELECT ord FROM outbox WHERE class = 3"      \
                    " AND ended_ms < ? AND copy_of IS NULL ORDER BY ended_ms, ord LIMIT ?)")       \
    X(PRUNE_BODY, "UPDATE inbox SET body = x'', withheld = 0 WHERE ord IN (SELECT ord FROM inbox WHERE shown = 1"\
                  " AND length(body) > 0 AND received_ms < ? ORDER BY received_ms, ord LIMIT ?)")  \
    X(PRUNE_INBOX, "DELETE FROM inbox WHERE ord IN (SELECT ord FROM inbox WHERE shown = 1"         \
                   " AND received_ms < ? ORDER BY received_ms, ord LIMIT ?)")

enum statement {
#define X(NAME, text) STATEMENT_##NAME,
    STATEMENT_LIST(X)
#undef X
    STATEMENT_COUNT
};

#endif
