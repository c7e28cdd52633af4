# Real processes under SIGKILL. The servers are the Release programs in SEALMQ_RELEASE_BIN.
add_executable(crash crash/crash.c crash/relay.c ${PROJECT_SOURCE_DIR}/clients/transport.c)
target_link_libraries(crash PRIVATE sealmq_engine sealmq_host)
if(SEALMQ_RELEASE_BIN)
    add_test(NAME crash COMMAND crash --bin ${SEALMQ_RELEASE_BIN} --kills 200 --port 17411)
    add_test(NAME crash_joined COMMAND crash --bin ${SEALMQ_RELEASE_BIN} --kills 60 --port 17471 --joined yes)
    set_tests_properties(crash crash_joined PROPERTIES TIMEOUT 900 FAIL_REGULAR_EXPRESSION
        "LeakSanitizer|AddressSanitizer|runtime error:")
endif()
