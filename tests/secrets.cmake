# Where secrets may not be: in branches (valgrind), in memory after their use, and in programs that serve.
find_program(VALGRIND valgrind REQUIRED)
file(GLOB seal_sources ${PROJECT_SOURCE_DIR}/clients/seal/*.c)
# Not instrumented: valgrind does not run sanitizers' code. Optimised: what is shipped is what counts.
add_executable(secrets_branches secrets/branches.c ${seal_sources} ${PROJECT_SOURCE_DIR}/broker/wire/bytes.c
    ${PROJECT_SOURCE_DIR}/broker/wire/ids.c)
target_compile_options(secrets_branches PRIVATE -O2 -fno-sanitize=all -DSEAL_VERDICT_KNOWN)
target_link_options(secrets_branches PRIVATE -fno-sanitize=all)
target_link_libraries(secrets_branches PRIVATE PkgConfig::SODIUM PkgConfig::NETTLE)
set(memcheck ${VALGRIND} --quiet --error-exitcode=9
    --suppressions=${CMAKE_CURRENT_SOURCE_DIR}/secrets/libsodium.supp)
add_test(NAME secrets_decide_no_branch COMMAND ${memcheck} $<TARGET_FILE:secrets_branches>)
add_test(NAME secrets_in_a_branch_are_found COMMAND ${memcheck} $<TARGET_FILE:secrets_branches> leak)
set_tests_properties(secrets_in_a_branch_are_found PROPERTIES WILL_FAIL TRUE)

add_test(NAME secrets_in_no_server COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/secrets/servers.sh
    $<TARGET_FILE:sealmq_seal> $<TARGET_FILE:sealmq_shared> $<TARGET_FILE:sealmq-broker> $<TARGET_FILE:sealmq-storage> $<TARGET_FILE:sealmq-relay>
    $<TARGET_FILE:sealmq-fanout> $<TARGET_FILE:sealmqd> $<TARGET_FILE:sealmqctl>)
