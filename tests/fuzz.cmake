# libFuzzer targets, clang only: cmake -S . -B build/fuzz -DSEALMQ_FUZZ=ON -DCMAKE_C_COMPILER=clang.
# Only what they need is built here: the code under test once more, instrumented; all else in the tree
# leaves the default build. Short runs with a fixed seed are ctest tests; for long ones run a target
# by hand: build/fuzz/tests/fuzz_frame -max_total_time=3600 DIR tests/fuzz/corpus/frame
if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "SEALMQ_FUZZ needs clang: add -DCMAKE_C_COMPILER=clang")
endif()
get_property(folders DIRECTORY ${PROJECT_SOURCE_DIR} PROPERTY SUBDIRECTORIES)
list(REMOVE_ITEM folders ${CMAKE_CURRENT_SOURCE_DIR})
foreach(folder IN LISTS folders)
    set_property(DIRECTORY ${folder} PROPERTY EXCLUDE_FROM_ALL ON)
endforeach()

# gcc -Werror is the tree's measure; clang's own ideas of -Wconversion are not errors here.
set(fuzz_options -g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=all -Wno-error)

# The code under test: a library of the named sources, instrumented.
function(sealmq_fuzz_library name pattern)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${pattern})
    add_library(${name} STATIC ${sources})
    target_compile_options(${name} PRIVATE ${fuzz_options})
    target_link_libraries(${name} PUBLIC ${ARGN})
endfunction()

# tests/fuzz/fuzz_NAME.c with the seeds of tests/fuzz/corpus/NAME; RUNS bounds the test, not time.
function(sealmq_fuzz name runs)
    add_executable(fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/fuzz_${name}.c)
    target_compile_options(fuzz_${name} PRIVATE ${fuzz_options})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
    target_link_libraries(fuzz_${name} PRIVATE ${ARGN})
    set(found ${CMAKE_CURRENT_BINARY_DIR}/found/${name}) # new inputs land here, never in the tree
    file(MAKE_DIRECTORY ${found})
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} -runs=${runs} -seed=1 -max_len=4096
        -artifact_prefix=${found}- -verbosity=0 ${found}
        ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
    set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 600 FAIL_REGULAR_EXPRESSION
        "LeakSanitizer|AddressSanitizer|runtime error:|internal error:")
endfunction()

sealmq_fuzz_library(fuzz_wire broker/wire/*.c PkgConfig::SODIUM PkgConfig::NETTLE)
sealmq_fuzz(messages 200000 fuzz_wire)
sealmq_fuzz(frame 200000 fuzz_wire)
sealmq_fuzz(slab 200000 fuzz_wire)
sealmq_fuzz(text 200000 fuzz_wire)
sealmq_fuzz(founding 200000 fuzz_wire)
sealmq_fuzz(log 3000 fuzz_wire)
sealmq_fuzz(prekey 200000 fuzz_wire)
sealmq_fuzz(report 200000 fuzz_wire)
sealmq_fuzz(token 200000 fuzz_wire)

sealmq_fuzz_library(fuzz_storage storage/row*.c fuzz_wire)
sealmq_fuzz(rows 200000 fuzz_storage)

file(GLOB hub ${PROJECT_SOURCE_DIR}/broker/*.c)
list(FILTER hub EXCLUDE REGEX "/(main|net|zap|edge|probe)\\.c$")
add_library(fuzz_hub STATIC ${hub})
target_compile_options(fuzz_hub PRIVATE ${fuzz_options})
target_link_libraries(fuzz_hub PUBLIC fuzz_wire)
sealmq_fuzz(broker 5000 fuzz_hub)
sealmq_fuzz(guard 20000 fuzz_hub)

sealmq_fuzz_library(fuzz_compare clients/safety.c fuzz_wire)
sealmq_fuzz(safety 200000 fuzz_compare)

sealmq_fuzz_library(fuzz_code clients/recovery_key.c fuzz_wire)
sealmq_fuzz(recovery 10000 fuzz_code)

sealmq_fuzz_library(fuzz_seal clients/seal/*.c fuzz_wire)
sealmq_fuzz(sealed 50000 fuzz_seal)
sealmq_fuzz(copy 200000 fuzz_seal)

sealmq_fuzz_library(fuzz_join clients/link.c fuzz_seal)
sealmq_fuzz(link 20000 fuzz_join)

file(GLOB edge ${PROJECT_SOURCE_DIR}/clients/*.c ${PROJECT_SOURCE_DIR}/clients/state/memory*.c
    ${PROJECT_SOURCE_DIR}/clients/state/rows.c ${PROJECT_SOURCE_DIR}/clients/state/state.c)
list(FILTER edge EXCLUDE REGEX "/(client|transport)\\.c$")
add_library(fuzz_edge STATIC ${edge})
target_compile_options(fuzz_edge PRIVATE ${fuzz_options})
target_link_libraries(fuzz_edge PUBLIC fuzz_seal)
sealmq_fuzz(engine 5000 fuzz_edge)
sealmq_fuzz(backup 5000 fuzz_edge)
