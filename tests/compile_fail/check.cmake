# Compiles SOURCE as it stands, which must work, and with -DWRONG, which must fail with the words that
# stand behind "expect:" in it (a snippet that fails for another reason proves nothing).
file(STRINGS ${SOURCE} expect REGEX "expect: " LIMIT_COUNT 1)
string(REGEX REPLACE ".*expect: (.*[^ ]) *\\*/.*" "\\1" expect "${expect}")
set(compile ${COMPILER} -std=c17 -D_GNU_SOURCE -I${INCLUDE} ${OPTIONS} -S -o /dev/null ${SOURCE})

execute_process(COMMAND ${compile} RESULT_VARIABLE result ERROR_VARIABLE words)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "the right form does not compile:\n${words}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${compile} -DWRONG
    RESULT_VARIABLE result ERROR_VARIABLE words)
if(result EQUAL 0)
    message(FATAL_ERROR "the wrong form compiles")
endif()
string(FIND "${words}" "${expect}" found)
if(NOT expect OR found EQUAL -1)
    message(FATAL_ERROR "the wrong form fails, but not with '${expect}':\n${words}")
endif()
