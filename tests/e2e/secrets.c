/* secrets: prints the secret keys of a device's home, one in hex per line, for leaks.sh to look for
 * where they must not be.
 *
 *   secrets HOME/state.db */
#include <sqlite3.h>
#include <stdio.h>

static int secrets_print(sqlite3 *db)
{
    sqlite3_stmt *row = NULL;
    int status = sqlite3_prepare_v2(db,
                                    "SELECT lower(hex(signing)), lower(hex(agreement)), "
                                    "lower(hex(transport)) FROM secrets",
                                    -1, &row, NULL);
    if (status == SQLITE_OK) status = sqlite3_step(row);
    for (int i = 0; i < 3 && status == SQLITE_ROW; i++)
        printf("%s\n", (const char *)sqlite3_column_text(row, i));
    sqlite3_finalize(row);
    return status == SQLITE_ROW ? 0 : 1;
}

int main(int argc, char **argv)
{
    sqlite3 *db = NULL;
    int failed = 1;
    if (argc == 2 && sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        failed = secrets_print(db);
    if (failed)
        fprintf(stderr, "secrets: no secrets found: %s\n", db ? sqlite3_errmsg(db) : "no file");
    sqlite3_close(db);
    return failed;
}
