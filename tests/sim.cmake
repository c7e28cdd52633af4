# The simulator: every core in one process under a seed. Each profile runs its own range of seeds, and
# the seeds that once found something run for ever (tests/sim/regressions.txt).
file(GLOB sim_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/sim/*.c)
add_executable(sim ${sim_sources})
target_link_libraries(sim PRIVATE sealmq_broker sealmq_storage sealmq_fanout sealmq_engine sealmq_host)

function(sealmq_sim name)
    add_test(NAME sim_${name} COMMAND sim ${ARGN})
    set_tests_properties(sim_${name} PROPERTIES TIMEOUT 600
        ENVIRONMENT "ASAN_OPTIONS=abort_on_error=1;UBSAN_OPTIONS=abort_on_error=1:print_stacktrace=1"
        FAIL_REGULAR_EXPRESSION "LeakSanitizer|AddressSanitizer|runtime error:")
endfunction()

foreach(profile calm faults loss wiped clocks retention lies)
    sealmq_sim(${profile} --profile ${profile} --seeds 1..150)
endforeach()
sealmq_sim(backpressure --profile backpressure --seeds 1..50)
sealmq_sim(sealed --profile sealed --seeds 1..60)
sealmq_sim(churn --profile churn --seeds 1..160)
sealmq_sim(evil --profile evil --seeds 1..120)
sealmq_sim(copies --profile copies --seeds 1..60)
sealmq_sim(contacts --profile contacts --seeds 1..60)
sealmq_sim(contacts_loss --profile contacts_loss --seeds 1..60)
sealmq_sim(metered --profile metered --seeds 1..50)
sealmq_sim(regressions --regressions ${CMAKE_CURRENT_SOURCE_DIR}/sim/regressions.txt)
