/* ctl: the commands of sealmqctl; each returns the program's exit status. The table is in main.c.
 */
#ifndef SEALMQ_CTL_CTL_H
#define SEALMQ_CTL_CTL_H

#include "broker/host/command.h"

int ctl_status(struct command *c);
int ctl_events(struct command *c);
int ctl_explain(struct command *c);
int ctl_token(struct command *c);
int ctl_hold(struct command *c);
int ctl_release(struct command *c);
int ctl_holds(struct command *c);
int ctl_devices(struct command *c);
int ctl_drift(struct command *c);

#endif
