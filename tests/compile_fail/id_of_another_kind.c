/* A device id where an account id belongs. expect: incompatible type */
#include "broker/wire/ids.h"

uint16_t home(struct account_id account, struct device_id device);

uint16_t home(struct account_id account, struct device_id device)
{
#ifdef WRONG
    (void)account;
    return home_of_account(device);
#else
    (void)device;
    return home_of_account(account);
#endif
}
