/* approve: an active device's side of linking (PROTOCOL 6.5): it is given a code by its user, shows who asks, and, if the user
 * says so, offers its account and admits the device that consents. A part of the engine. */
#ifndef SEALMQ_CLIENTS_APPROVE_H
#define SEALMQ_CLIENTS_APPROVE_H

#include "clients/engine.h"
#include "clients/link.h"

enum approval_stage {
    APPROVAL_NONE,
    APPROVAL_FETCHING,  /* the request is looked for */
    APPROVAL_ASKED,     /* it is there: the user decides */
    APPROVAL_OFFERING,
    APPROVAL_REJECTING,
    APPROVAL_AWAITING,  /* the new device is to consent */
    APPROVAL_ADMITTING, /* the entry is on its way */
    APPROVAL_DONE,
    APPROVAL_REJECTED,  /* by the user of one side */
    APPROVAL_FAILED,    /* status, and obstacle, say why */
    APPROVAL_STAGE_COUNT,
};

/* How it stands. status of APPROVAL_FAILED: NOT_FOUND: nobody waits under this code (mistyped, or its time is over); TIMEOUT: the new
 * device has not consented in time; REFUSED: somebody has answered this code already; BAD_ENTRY: what stands there is no
 * request or consent of this code; with an obstacle: the log does not take the device. obstacle, up to APPROVAL_ASKED: why it would
 * not, as it is known now. */
struct approval_view {
    enum approval_stage stage;
    enum status status;
    enum change_obstacle obstacle;
    struct device_id device; /* the new one, from APPROVAL_ASKED on */
    struct view name;        /* as it calls itself; empty = not at all. Good until the next call on the engine */
};

/* engine_link: looks for who waits under the code; ENGINE_LINK tells each step. OK; STATE: another one is under way. In memory only: a
 * process that ends begins anew, but for the entry, which is kept. engine_link_answer: the user's word. OK; STATE (nobody has
 * asked), and FULL where another change of this device's is on its way. A yes that the log has no room for is told to the new device as
 * a no, and is APPROVAL_FAILED then. engine_link_drop: no more of it, without a word. */
enum status engine_link(struct engine *e, struct now now, const struct link_code *code) MUST_USE;
enum status engine_link_answer(struct engine *e, struct now now, bool approve) MUST_USE;
void engine_link_drop(struct engine *e);
struct approval_view engine_link_view(struct engine *e);

#endif
