/* limits: every bound of the protocol and of the processes' tables, in one place (PROTOCOL 9).
 * Whatever is not here is in config with a default that refers to here. */
#ifndef SEALMQ_WIRE_LIMITS_H
#define SEALMQ_WIRE_LIMITS_H

#define PROTOCOL_VERSION_MIN 1
#define PROTOCOL_VERSION_MAX 1

#define PARTITION_COUNT 4096

/* One envelope */
#define PAYLOAD_LEN_MAX        (256u * 1024u)
#define PAYLOAD_OVERHEAD_MAX   12288u /* header, content's own fields, padding (PROTOCOL 10) */
#define CIPHERTEXT_LEN_MAX     (PAYLOAD_LEN_MAX + PAYLOAD_OVERHEAD_MAX)
#define DEVICES_PER_ACCOUNT    16u
#define HANDLE_LEN_MAX         64u
#define DEVICE_NAME_LEN_MAX    64u
#define CLIENT_VERSION_LEN_MAX 32u
#define DEVICES_EVER_MAX       32u /* of an account, revoked ones included */
#define ENTRY_LEN_MAX          1024u
#define ENTRY_DATA_LEN_MAX     256u
#define DEVICES_EVER_ADDED     24u /* by devices; the rest only the recovery key adds */
#define LOG_LENGTH_MAX         1024u /* entries of an account; the last ones are the recovery key's, */
#define LOG_LENGTH_REVOKED     960u  /* from here on: no device can use up what ends it */
#define LOG_LENGTH_CHANGED     896u  /* and from here on devices only revoke */
#define LOG_LENGTH_DESCRIBED   768u  /* side data ends here */
#define ENTRIES_PER_FRAME      64u
#define TOKEN_BODY_LEN_MAX     160u /* of a registration token */
#define TOKEN_LEN_MAX          240u /* with its signature */
#define PRODUCT_KEYS_MAX       4u   /* whose tokens are good at one relay: more than one while a key is changed */
#define REPORT_BODY_LEN_MAX    160u /* of a device that could not open a message */
#define REPORT_LEN_MAX         240u /* with its signature */
#define RESENDS_MAX            3u   /* attempts after the first */
#define LINEAGE_MARK_LEN       88u /* count, random, signature (PROTOCOL 4.1) */
#define LINEAGE_MARKS          4u  /* of a device, at the relay */
#define LINEAGE_LEN_MAX        (LINEAGE_MARKS * LINEAGE_MARK_LEN)
#define RECOVERY_PROOF_AGE_MAX_MS (10u * 60 * 1000) /* and as much ahead */
#define RECOVERY_TRIES_BURST   10u /* wrong ones of an account that are refused at once, */
#define RECOVERY_TRY_EVERY_MS  60000u /* and then one in this time */
#define RECOVERY_ACCOUNTS_MAX  4096u /* whose tries a store counts at once; beyond, who has the fewest is forgotten */
#define BACKUP_PART_LEN_MAX    49152u
#define BACKUP_PARTS_MAX       86u /* 4 MiB of an account; there may be one before it, and one that comes in */
#define BACKUP_STANDS_MS       (24u * 3600 * 1000) /* so long the newest: it stays beside the next one of its own device, too */
#define PREKEY_BODY_LEN_MAX    256u
#define PREKEY_LEN_MAX         384u /* with its signature */
#define ONE_TIME_PREKEYS_MAX   100u /* of a device */
#define ONE_TIME_PREKEYS_LOW   20u  /* then it is asked for more */
#define DRIFT_VERSIONS_MAX     32u  /* client versions, and */
#define DRIFT_PAIRS_MAX        64u  /* pairs of which DRIFT tells */
#define PREKEY_CLAIMS_BURST    10u  /* of one account from one device at once */
#define PREKEY_CLAIM_EVERY_MS  (10u * 60 * 1000) /* and then one in this time */
#define PREKEY_PAIRS_MAX       65536u /* of (account, device) that a store counts at once; beyond, the least is forgotten */
#define CONTACTS_MAX           4096u /* verdicts that an account keeps at its home */
#define CONTACTS_PER_SET       64u
#define CONTACTS_PER_PAGE      256u
#define REQUEST_SENDERS_MAX    20u /* strangers with a message request at one account, none of them decided */
#define REQUEST_MESSAGES_MAX   1u  /* of each of them, until it is decided */
#define REQUEST_KEEP_MS        (30ull * 24 * 3600 * 1000) /* then the place is free again */

/* Linking (PROTOCOL 6.5): a box, where two devices that share a code leave each other messages */
#define LINK_CODE_LEN       20u /* characters, of 5 bits each */
#define LINK_SLOTS          16u /* of a box: what the new device says, and then what the other one does */
#define LINK_SLOTS_GUEST    2u  /* those that need no session */
#define LINK_GUEST_LEN_MAX  1024u
#define LINK_PART_LEN_MAX   49152u
#define LINK_LIFE_MS        (15u * 60 * 1000)
#define LINK_BOXES_MAX      4096u /* of a store */
#define LINK_BYTES_MAX      (16u * 1024 * 1024) /* in all of them */

/* One frame at the edge */
#define FRAME_META_LEN_MAX (256u * 1024u)
#define FRAME_LEN_MAX      (24u + FRAME_META_LEN_MAX + DEVICES_PER_ACCOUNT * CIPHERTEXT_LEN_MAX)
#define SENDS_PER_FRAME    64u
#define DELIVERIES_PER_FRAME 64u
#define FAILURES_PER_ACK   64u
#define STATUS_PER_FRAME   64u
#define GAPS_PER_FRAME     32u
#define HINTS_PER_FRAME    256u
#define MAP_RANGES_MAX     256u
#define TERMS_PER_FRAME    64u
#define WAKES_PER_LEASE    64u
#define EVENTS_PER_FRAME   64u
#define HOLD_ROWS_PER_FRAME 32u /* accounts; each may have a hold on every device */
#define HOLD_CURSOR_LEN_MAX 64u

/* One session */
#define CREDIT_MESSAGES_MAX     1024u
#define CREDIT_BYTES_MAX        (16u * 1024u * 1024u)
#define PENDING_REQUESTS_MAX    64u   /* per connection */
#define PENDING_BYTES_MAX       (8u * 1024u * 1024u)  /* their frames, per connection */
#define ASSIGNED_BYTES_MAX      (64u * 1024u * 1024u) /* frames one worker owes replies to */
#define CONNECTIONS_MAX         16384u

/* Metering at the edge; the rates are in config */
#define METER_BURST_S       10u /* what was not used for so long may be used at once */
#define METER_LOOSE         10u /* times an address's rate: what without a session costs little */
#define METER_FLOOD         10u /* times its rate, */
#define METER_FLOOD_S       3u  /* for about so long: a device is cut, */
#define METER_FLOOD_WINDOWS 4u  /* but never for less than so many times what may be pending */
#define METER_STRANGER_MAX  256u /* frames in a row refused so, of a connection without a session */
#define METER_TELL_MS       60000u /* between two events about one device or address */
#define METER_ADDRESSES_MAX 16384u

/* One storage turn */
#define TURN_ITEMS_MAX 512u
#define TURN_BYTES_MAX (4u * 1024u * 1024u)

/* Times, in milliseconds */
#define ID_AGE_MAX_MS        (7ull * 24 * 3600 * 1000)
#define ID_AHEAD_MAX_MS      (10ull * 60 * 1000)
#define LEDGER_KEEP_MS       (8ull * 24 * 3600 * 1000)
#define CLIENT_DEDUP_KEEP_MS (30ull * 24 * 3600 * 1000)
#define PAYLOAD_KEEP_MS      (30ull * 24 * 3600 * 1000)
#define EVENTS_KEEP_MS       (30ull * 24 * 3600 * 1000)

#endif
