/* The vault of a home in the sqlite backend: nothing secret is in its files, nothing sealed can be moved, and a key or
 * passphrase that is not its own opens nothing and changes nothing. */
#include "tests/contract/state_everything.h"

/* ---- sealed values ---- */

Test(state_vault, no_secret_is_in_the_files_and_what_is_public_is)
{
    struct place p = place_make();
    struct state *s = must_open(&p);
    put_everything(s);
    cr_assert(files_have(&p, HANDLE), "the search finds what is there");
    cr_assert_not(files_have(&p, NEEDLE));
    ok(get_everything(s));
    state_close(&s);
    cr_assert(files_have(&p, HANDLE));
    cr_assert_not(files_have(&p, NEEDLE));
    must_have_everything(&p);
    place_drop(&p);
}

Test(state_vault, a_value_in_another_place_is_damaged)
{
    static const char *const moves[] = {
        "UPDATE secrets SET agreement = transport",
        "UPDATE secrets SET next_agreement = agreement",
        "UPDATE secrets SET signing = x''",
        "UPDATE prekey SET secret = (SELECT secret FROM prekey WHERE id = 2) WHERE id = 1",
        "UPDATE prekey SET secret = (SELECT agreement FROM secrets) WHERE id = 1",
        "UPDATE prekey SET secret = x'' WHERE id = 1",
        "UPDATE body SET payload = (SELECT payload FROM body WHERE ord = 2) WHERE ord = 1",
        "UPDATE body SET payload = x'00' WHERE ord = 1",
        "UPDATE body SET head = (SELECT head FROM body WHERE ord = 2) WHERE ord = 1",
        "UPDATE body SET head = payload WHERE ord = 1",
        "UPDATE inbox SET body = (SELECT body FROM inbox WHERE ord = 2) WHERE ord = 1",
        "UPDATE inbox SET head = (SELECT head FROM inbox WHERE ord = 2) WHERE ord = 1",
        "UPDATE session SET session = (SELECT session FROM session WHERE number = 2) WHERE number = 1",
        "UPDATE session SET session = x'' WHERE number = 1",
        "UPDATE skipped SET secret = (SELECT secret FROM skipped WHERE ord = 2) WHERE ord = 1",
        "UPDATE skipped SET number = 9 WHERE ord = 2; UPDATE skipped SET number = 2 WHERE ord = 1;"
        "UPDATE skipped SET number = 1 WHERE ord = 2",
        "UPDATE inbox SET body = substr(body, 1, length(body) - 1) WHERE ord = 1",
        "UPDATE inbox SET sender_device = x'77777777777777777777777777777777' WHERE ord = 1",
        "UPDATE outbox SET content = (SELECT content FROM outbox WHERE ord = 2) WHERE ord = 1",
        "UPDATE outbox SET content = x'' WHERE ord = 1",
    };
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        struct place p = place_make();
        place_fill(&p);
        run_sql(&p, "UPDATE handle SET account = account"); /* touching the file is no damage */
        must_have_everything(&p);
        run_sql(&p, moves[i]);
        struct state *s = must_open(&p);
        cr_assert_eq(get_everything(s), STATUS_DAMAGED, "%s", moves[i]);
        state_close(&s);
        place_drop(&p);
    }
}

Test(state_vault, of_a_secret_that_is_damaged_nothing_is_given)
{
    static const struct device_secrets none;
    struct place p = place_make();
    struct device_secrets secrets;
    place_fill(&p);
    run_sql(&p, "UPDATE secrets SET next_agreement = agreement");
    struct state *s = must_open(&p);
    memset(&secrets, 0x55, sizeof secrets);
    ok(state_begin(s, STATE_READ));
    cr_assert_eq(state_secrets_get(s, &secrets), STATUS_DAMAGED);
    cr_assert_eq(memcmp(&secrets, &none, sizeof none), 0);
    state_rollback(s);
    state_close(&s);
    place_drop(&p);
}

/* ---- key file ---- */

Test(state_vault, the_key_file_is_closed_to_others_and_stays_as_it_is)
{
    struct place p = place_make();
    struct stat st;
    size_t len, again;
    place_fill(&p);
    cr_assert_eq(stat(p.key, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    uint8_t *first = file_bytes(p.key, &len);
    must_have_everything(&p);
    uint8_t *second = file_bytes(p.key, &again);
    cr_assert(len == again && memcmp(first, second, len) == 0);
    free(first);
    free(second);
    place_drop(&p);
}

/* The home is refused with these words, its database is as before, and with the key put back all is there. */
static void must_refuse_and_recover(struct place *p, const char *words, const uint8_t *key, size_t key_len)
{
    size_t len, again;
    uint8_t *before = file_bytes(p->path, &len);
    must_refuse(p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p->error, words), "%s", p->error);
    uint8_t *after = file_bytes(p->path, &again);
    cr_assert(len == again && memcmp(before, after, len) == 0);
    free(before);
    free(after);
    (void)unlink(p->key);
    FILE *f = fopen(p->key, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(key, 1, key_len, f), key_len);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(chmod(p->key, 0600), 0);
    must_have_everything(p);
}

Test(state_vault, a_home_without_its_own_key_is_refused_and_not_changed)
{
    struct place p = place_make(), other = place_make();
    size_t len, other_len;
    place_fill(&p);
    place_fill(&other);
    uint8_t *key = file_bytes(p.key, &len), *another = file_bytes(other.key, &other_len);
    another[other_len] = '\0';

    cr_assert_eq(unlink(p.key), 0);
    must_refuse_and_recover(&p, "is missing", key, len);
    cr_assert_eq(chmod(p.key, 0640), 0);
    must_refuse_and_recover(&p, "others may use", key, len);
    cr_assert_eq(truncate(p.key, (off_t)len - 1), 0);
    must_refuse_and_recover(&p, "is not a key file", key, len);
    cr_assert_eq(truncate(p.key, 0), 0);
    must_refuse_and_recover(&p, "is not a key file", key, len);
    cr_assert_eq(truncate(p.key, (off_t)len + 1), 0);
    must_refuse_and_recover(&p, "is larger than", key, len);
    file_write(p.key, "sealmq home key 2\n0000000000000000000000000000000000000000000000000000000000000000\n", 0600);
    must_refuse_and_recover(&p, "is not a key file", key, len);
    file_write(p.key, "sealmq home key 1\n00000000000000000000000000000000000000000000000000000000000000zz\n", 0600);
    must_refuse_and_recover(&p, "is not a key file", key, len);
    file_write(p.key, (const char *)another, 0600);
    must_refuse_and_recover(&p, "another home", key, len);
    p.has_passphrase = true;
    file_write(p.phrase, "a passphrase\n", 0600);
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "leave --passphrase-file out"), "%s", p.error);
    p.has_passphrase = false;
    must_have_everything(&p);
    free(key);
    free(another);
    place_drop(&p);
    place_drop(&other);
}

Test(state_vault, a_vault_row_that_does_not_follow_its_format_is_damaged)
{
    static const char *const damages[] = {
        "DELETE FROM vault", "UPDATE vault SET kind = 0", "UPDATE vault SET kind = 2",
        "UPDATE vault SET salt = x''", "UPDATE vault SET sealed = x'00'", "UPDATE vault SET dirty = 2",
        "UPDATE vault SET kind = 2, sealed = zeroblob(72), operations = 3, memory = 1 << 40",
        "UPDATE vault SET kind = 2, sealed = zeroblob(72), operations = 1 << 40, memory = 1 << 20",
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct place p = place_make();
        place_fill(&p);
        run_sql(&p, damages[i]);
        must_refuse(&p, STATUS_DAMAGED);
        place_drop(&p);
    }
}

/* ---- passphrase ---- */

Test(state_vault, a_passphrase_opens_its_home_and_another_one_does_not)
{
    struct place p = place_with_passphrase("correct horse\nnot this line\n");
    place_fill(&p);
    cr_assert_neq(access(p.key, F_OK), 0, "there is no key file");
    cr_assert_not(files_have(&p, NEEDLE));
    file_write(p.phrase, "correct horse", 0600);
    must_have_everything(&p);
    file_write(p.phrase, "correct horse\r\nsomething else\n", 0600);
    must_have_everything(&p);
    file_write(p.phrase, "correct horsf\n", 0600);
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "is not the one of this home"), "%s", p.error);
    file_write(p.phrase, "correct horse\n", 0600);
    must_have_everything(&p);
    place_drop(&p);
}

/* Without the time that Argon2id takes: all of them are refused before. */
Test(state_vault, a_passphrase_that_cannot_be_read_is_refused)
{
    struct place p = place_with_passphrase("correct horse\n");
    static char long_line[1100];
    place_fill(&p);
    cr_assert_eq(chmod(p.phrase, 0644), 0);
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "others may use"), "%s", p.error);
    file_write(p.phrase, "\ncorrect horse\n", 0600);
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "is empty"), "%s", p.error);
    memset(long_line, 'x', sizeof long_line - 1);
    file_write(p.phrase, long_line, 0600);
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_eq(unlink(p.phrase), 0);
    must_refuse(&p, STATUS_CONFIG);
    p.has_passphrase = false;
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "this home has a passphrase"), "%s", p.error);
    cr_assert_neq(access(p.key, F_OK), 0, "no key file was made");
    place_drop(&p);
}

Test(state_vault, the_passphrases_terms_are_bound_to_the_key)
{
    static const char *const changes[] = {
        "UPDATE vault SET salt = zeroblob(16)",
        "UPDATE vault SET operations = 1",
        "UPDATE vault SET memory = 8192",
    };
    struct place p = place_with_passphrase("correct horse\n");
    place_fill(&p);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        run_sql(&p, "CREATE TABLE before AS SELECT * FROM vault");
        run_sql(&p, changes[i]);
        must_refuse(&p, STATUS_CONFIG);
        run_sql(&p, "DELETE FROM vault; INSERT INTO vault SELECT * FROM before; DROP TABLE before");
    }
    must_have_everything(&p);
    place_drop(&p);
}
