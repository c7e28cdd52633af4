# What proves the language beyond plain unit tests: the .proto against our tables through protobuf-c,
# the frozen vectors, code that must not compile, and the tree's own rules.
find_program(PROTOC_C protoc-c REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)

set(wire_dir ${PROJECT_SOURCE_DIR}/broker/wire)
set(proto_dir ${CMAKE_CURRENT_BINARY_DIR}/proto)
file(MAKE_DIRECTORY ${proto_dir})
add_custom_command(OUTPUT ${proto_dir}/sealmq.pb-c.c ${proto_dir}/sealmq.pb-c.h
    COMMAND ${PROTOC_C} --c_out=${proto_dir} -I${wire_dir} sealmq.proto
    DEPENDS ${wire_dir}/sealmq.proto)
add_library(sealmq_proto STATIC ${proto_dir}/sealmq.pb-c.c ${proto_dir}/sealmq.pb-c.h)
target_compile_options(sealmq_proto PRIVATE -w) # generated, not ours to clean
target_include_directories(sealmq_proto SYSTEM PUBLIC ${proto_dir})
target_link_libraries(sealmq_proto PUBLIC PkgConfig::PROTOBUF_C)

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${wire_dir}/sealmq.proto)
file(STRINGS ${wire_dir}/sealmq.proto messages REGEX "^message ")
list(LENGTH messages message_count)
target_link_libraries(unit_wire PRIVATE sealmq_proto)
target_compile_definitions(unit_wire PRIVATE SEALMQ_PROTO_MESSAGES=${message_count}u
    SEALMQ_VECTORS="${CMAKE_CURRENT_SOURCE_DIR}/vectors/protocol-1.txt")

# One test per snippet: as it stands it compiles; with -DWRONG it must not, and for the named reason.
file(GLOB snippets CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/*.c)
get_directory_property(compile_options COMPILE_OPTIONS)
foreach(snippet IN LISTS snippets)
    get_filename_component(name ${snippet} NAME_WE)
    add_test(NAME compile_fail_${name} COMMAND ${CMAKE_COMMAND} -DCOMPILER=${CMAKE_C_COMPILER}
        -DSOURCE=${snippet} -DINCLUDE=${PROJECT_SOURCE_DIR} "-DOPTIONS=${compile_options}"
        -P ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/check.cmake)
endforeach()

add_test(NAME tidy COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tidy/tidy.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(tidy PROPERTIES SKIP_RETURN_CODE 77)
