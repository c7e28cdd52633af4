/* sealmq_prompts: what a user must see, as data. A part of sealmq.h, which includes it: include that. */
#ifndef SEALMQ_PROMPTS_H
#define SEALMQ_PROMPTS_H
#ifndef SEALMQ_H
#error "include <sealmq.h>"
#endif

enum sealmq_severity {
    SEALMQ_SEVERITY_NONE = 0,
    SEALMQ_SEVERITY_INFO = 1,    /* to be seen where it fits */
    SEALMQ_SEVERITY_WARNING = 2, /* to be seen before going on */
    SEALMQ_SEVERITY_DECISION = 3 /* the user decides; nothing goes on until then */
};

enum sealmq_prompt_id {
    SEALMQ_PROMPT_NONE = 0,
    SEALMQ_PROMPT_NO_RECOVERY = 1,     /* the account has no recovery key; with each open until sealmq_prompt_seen */
    SEALMQ_PROMPT_NOT_SEALED = 2,      /* an opaque message; with the first one that a client sends, and in each row */
    SEALMQ_PROMPT_CONTACT_CHANGED = 3, /* a message is held: sealmq_release sends it all the same */
    SEALMQ_PROMPT_MAY_HAVE_COME = 4,   /* a message is in doubt: sealmq_release sends it once more */
    SEALMQ_PROMPT_RELAY_FORKED = 5,    /* the relay shows another history of our own keys */
    SEALMQ_PROMPT_MESSAGES_LOST = 6,   /* messages to this device will not come */
    SEALMQ_PROMPT_HOME_COPIED = 7,     /* this home was set back, or a copy of it is in use; with each open until _seen */
    SEALMQ_PROMPT_CONTACT_FORKED = 8,  /* a contact says that its keys have another history than we were shown */
    SEALMQ_PROMPT_DEVICE_OUT = 9,      /* this device was suspended or revoked by another, or with the recovery key: with SEALMQ_EVENT_STOPPED */
    SEALMQ_PROMPT_CONTACT_UNVERIFIED = 10, /* a contact was verified and is not any more: see sealmq_verify.h */
    SEALMQ_PROMPT_LINK_REQUEST = 11,   /* a device asks to join this account: sealmq_link.h; sealmq_approve_answer */
    SEALMQ_PROMPT_LINKED = 12,         /* this device has joined an account: with SEALMQ_EVENT_LINKED */
    SEALMQ_PROMPT_UNLINKED = 13,       /* nobody has let this device into the account that it was to join; with each open until it is linked */
    SEALMQ_PROMPT_REQUEST = 15,        /* a message of somebody who is not allowed to write yet: see sealmq_contacts.h */
    SEALMQ_PROMPT_ON_HOLD = 18,        /* the relay's operator has put this account or device on hold: with SEALMQ_EVENT_STOPPED */
    SEALMQ_PROMPT_TOKEN_WANTED = 19,   /* the relay wants a token: with SEALMQ_EVENT_STOPPED or _HANDLE_REFUSED: sealmq_registration.h */
    SEALMQ_PROMPT_RECOVERY_USED = 20,  /* this account's recovery key has brought in a device; with each open until _seen */
    SEALMQ_PROMPT_RECOVERY_CHANGED = 21, /* another device, or the old key, has set a recovery key; the same */
    SEALMQ_PROMPT_RECOVERY_UNCONFIRMED = 22, /* one was set here, nobody has shown to have it; with each open until sealmq_recovery_confirm */
    SEALMQ_PROMPT_OLD_MESSAGES = 23,   /* this home was made with the recovery key; with each open until _seen */
    SEALMQ_PROMPT_CONTACT_DEVICES = 25, /* a contact has another device, one less, or one with new keys: SEALMQ_EVENT_CONTACT */
    SEALMQ_PROMPT_CONTACT_BEHIND = 26, /* a message is held: the relay keeps something of the contact's keys from us */
    SEALMQ_PROMPT_CONTACT_REFOUNDED = 27, /* a message is held: the contact's recovery key has brought in a device */
    SEALMQ_PROMPT_OWN_DEVICES = 28,    /* our own account has a device more: SEALMQ_EVENT_CONTACT */
    SEALMQ_PROMPT_CONTACT_SILENT = 29, /* a contact's devices have said nothing of its keys for two weeks */
    SEALMQ_PROMPT_WEAK_SESSION = 30,   /* a device had no one-time prekey left: less secrecy until it has answered */
    SEALMQ_PROMPT_DEVICE_LEFT = 31     /* this device was suspended or revoked, and has asked for that itself: with SEALMQ_EVENT_STOPPED */
};

/* A prompt as data: id for translations and logic, text in English for where there is none. */
struct sealmq_prompt {
    size_t size;
    enum sealmq_prompt_id id;
    enum sealmq_severity severity;
    const char *text; /* one line or two; static */
};

/* sealmq_prompt_get: the prompt of this id. OK; NOT_FOUND outside the list. Any time, any thread. */
SEALMQ_API enum sealmq_status sealmq_prompt_get(enum sealmq_prompt_id id, struct sealmq_prompt *out) SEALMQ_MUST_USE;

#endif
