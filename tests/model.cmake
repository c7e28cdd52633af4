# The model of PROTOCOL 10, on another library than the clients', and what is held against it.
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
sealmq_library(sealing_model tests/model/*.c EXCEPT tests/model/write_vectors.c tests/model/twin.c tests/model/duel.c
    LINK PkgConfig::CRYPTO)
add_executable(write_vectors ${CMAKE_CURRENT_SOURCE_DIR}/model/write_vectors.c)
target_link_libraries(write_vectors PRIVATE sealing_model)
sealmq_test(unit_model unit/model_*_test.c sealing_model)

# The frozen vectors are what the model says, still.
add_test(NAME model_vectors COMMAND sh -c "$<TARGET_FILE:write_vectors> | cmp - \"$1\"" sh
    ${CMAKE_CURRENT_SOURCE_DIR}/vectors/sealing-1.txt)

# The model against clients/seal: each schedule follows from its seed. (A release build does a million in bounded time.)
add_executable(duel ${CMAKE_CURRENT_SOURCE_DIR}/model/duel.c ${CMAKE_CURRENT_SOURCE_DIR}/model/twin.c)
target_link_libraries(duel PRIVATE sealing_model sealmq_seal)
add_test(NAME model_duel COMMAND duel --schedules 1000 --seed 1)
set_tests_properties(model_duel PROPERTIES TIMEOUT 600 LABELS model_duel
    FAIL_REGULAR_EXPRESSION "LeakSanitizer|AddressSanitizer|runtime error:")

# And the clients' code makes and reads the vectors.
sealmq_test(unit_sealing unit/sealing_*_test.c sealmq_seal)
target_sources(unit_sealing PRIVATE unit/wire_vectors_fixture_test.c)
target_compile_definitions(unit_sealing PRIVATE
    SEALMQ_VECTORS="${CMAKE_CURRENT_SOURCE_DIR}/vectors/sealing-1.txt")
