# End to end: real processes, as users, support and engineering meet them. The servers are the Release
# programs in SEALMQ_RELEASE_BIN; without them only what needs no relay runs, on this tree's programs.
add_executable(e2e_gateway e2e/gateway.c)
target_link_libraries(e2e_gateway PRIVATE PkgConfig::SODIUM)
add_executable(e2e_secrets e2e/secrets.c)
target_link_libraries(e2e_secrets PRIVATE sealmq_state)
add_executable(e2e_second e2e/second.c)
target_link_libraries(e2e_second PRIVATE sealmq_state sealmq_host)
# The command line of an app of later years, which seals contents of a later version. Its own content.c comes before the library's.
file(GLOB later_sources ${PROJECT_SOURCE_DIR}/clients/cli/*.c ${PROJECT_SOURCE_DIR}/clients/api_*.c)
add_executable(e2e_later ${later_sources} ${PROJECT_SOURCE_DIR}/clients/transport.c ${PROJECT_SOURCE_DIR}/clients/seal/content.c)
target_compile_options(e2e_later PRIVATE -USEALMQ_VERSION -DSEALMQ_VERSION="9.0.0" -DCONTENT_VERSION=2u)
target_link_libraries(e2e_later PRIVATE sealmq_state sealmq_engine sealmq_host PkgConfig::ZMQ PkgConfig::SODIUM
    PkgConfig::JANSSON PkgConfig::QRENCODE)
add_executable(e2e_search e2e/search.c)
target_compile_options(e2e_search PRIVATE -O2 -fno-sanitize=all) # it reads much
target_link_options(e2e_search PRIVATE -fno-sanitize=all)
# Goes into programs that have no sanitizers.
add_library(e2e_clock SHARED e2e/clock.c)
target_compile_options(e2e_clock PRIVATE -fno-sanitize=all)
target_link_options(e2e_clock PRIVATE -fno-sanitize=all)
add_library(e2e_machine SHARED e2e/machine.c)
target_link_libraries(e2e_machine PRIVATE PkgConfig::SODIUM PkgConfig::ZMQ)
target_compile_options(e2e_machine PRIVATE -fno-sanitize=all)
target_link_options(e2e_machine PRIVATE -fno-sanitize=all)
add_library(e2e_disk SHARED e2e/disk.c)
target_compile_options(e2e_disk PRIVATE -fno-sanitize=all)
target_link_options(e2e_disk PRIVATE -fno-sanitize=all)
add_library(e2e_edge SHARED e2e/edge.c)
target_compile_options(e2e_edge PRIVATE -fno-sanitize=all)
target_link_options(e2e_edge PRIVATE -fno-sanitize=all)
add_executable(e2e_takeover e2e/takeover.c e2e/party.c)
target_link_libraries(e2e_takeover PRIVATE sealmq_host)
add_executable(e2e_commands e2e/commands.c e2e/party.c)
target_link_libraries(e2e_commands PRIVATE sealmq_host)
add_executable(e2e_proxy e2e/proxy.c)
add_executable(e2e_terminal e2e/terminal.c)
target_link_libraries(e2e_terminal PRIVATE util)
add_executable(e2e_attack e2e/attack.c)
target_link_libraries(e2e_attack PRIVATE sealmq_host)

# Each test has 40 ports of its own, below those that outgoing connections take theirs from.
set_property(GLOBAL PROPERTY SEALMQ_E2E_PORTS 18000)
function(sealmq_e2e_ports out)
    get_property(ports GLOBAL PROPERTY SEALMQ_E2E_PORTS)
    math(EXPR next "${ports} + 40")
    if(next GREATER 32768)
        message(FATAL_ERROR "more end-to-end tests than there are ports for")
    endif()
    set_property(GLOBAL PROPERTY SEALMQ_E2E_PORTS ${next})
    set(${out} ${ports} PARENT_SCOPE)
endfunction()

# sealmq_e2e(NAME SCRIPT BIN ARGUMENT...)
function(sealmq_e2e name script bin)
    sealmq_e2e_ports(ports)
    add_test(NAME e2e_${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${script}.sh ${ARGN})
    set_tests_properties(e2e_${name} PROPERTIES TIMEOUT 120 LABELS e2e ENVIRONMENT
        "SEALMQ_BIN=${bin};SEALMQ_PORTS=${ports};SEALMQ_GATEWAY=$<TARGET_FILE:e2e_gateway>;SEALMQ_SECRETS=$<TARGET_FILE:e2e_secrets>;SEALMQ_SECOND=$<TARGET_FILE:e2e_second>;SEALMQ_CLOCK=$<TARGET_FILE:e2e_clock>;SEALMQ_MACHINE=$<TARGET_FILE:e2e_machine>;SEALMQ_TAKEOVER=$<TARGET_FILE:e2e_takeover>;SEALMQ_ATTACK=$<TARGET_FILE:e2e_attack>;SEALMQ_COMMANDS=$<TARGET_FILE:e2e_commands>;SEALMQ_PROXY=$<TARGET_FILE:e2e_proxy>;SEALMQ_EDGE=$<TARGET_FILE:e2e_edge>;SEALMQ_DISK=$<TARGET_FILE:e2e_disk>;SEALMQ_SEARCH=$<TARGET_FILE:e2e_search>;SEALMQ_LATER=$<TARGET_FILE:e2e_later>;SEALMQ_TERMINAL=$<TARGET_FILE:e2e_terminal>")
endfunction()

sealmq_e2e(cli_offline cli_offline $<TARGET_FILE_DIR:sealmq>)
if(SEALMQ_RELEASE_BIN)
    foreach(name cli_contract rotate devices idempotency relay_away ticket superseded memory loss damaged one_owner
            log_full wake ends leaks slow_device slow_disk config unsafe clock acks bench flood commands half_open embed
            copied sealed canary client_memory verify contact link copies drift recovery backup drill_revoked drill_old_app
            drill_new_device drill_lost_devices token hold prekeys history absent joined)
        sealmq_e2e(${name} ${name} ${SEALMQ_RELEASE_BIN})
    endforeach()
    sealmq_e2e(restart_planned restart ${SEALMQ_RELEASE_BIN} TERM)
    sealmq_e2e(restart_killed restart ${SEALMQ_RELEASE_BIN} KILL)
    # The same with broker and storage in one process.
    function(sealmq_e2e_joined name)
        sealmq_e2e(joined_${name} ${name} ${SEALMQ_RELEASE_BIN} ${ARGN})
        set_property(TEST e2e_joined_${name} APPEND PROPERTY ENVIRONMENT SEALMQ_JOINED=1)
    endfunction()
    foreach(name idempotency slow_device flood ends contact edge)
        sealmq_e2e_joined(${name})
    endforeach()
    sealmq_e2e_joined(slow_disk)
    sealmq_e2e_joined(restart KILL)
    sealmq_e2e(takeover takeover ${SEALMQ_RELEASE_BIN})
    sealmq_e2e(attack attack ${SEALMQ_RELEASE_BIN})
    sealmq_e2e(edge edge ${SEALMQ_RELEASE_BIN})
    set_tests_properties(e2e_attack e2e_sealed e2e_canary e2e_devices e2e_link e2e_copies PROPERTIES
        TIMEOUT 300) # three times as long beside others
    # broker/up has its own place to build in; elsewhere it would test another build.
    if(SEALMQ_RELEASE_BIN STREQUAL "${PROJECT_SOURCE_DIR}/build/release/bin")
        sealmq_e2e(up up ${SEALMQ_RELEASE_BIN})
        set_tests_properties(e2e_up PROPERTIES TIMEOUT 300 RUN_SERIAL TRUE) # it may link what others run
    endif()
endif()
